"use strict";

/* Replies as the page carries them: JSON, gzip, base64, unpacked when an arm is first chosen. */
async function unpacked(id) {
  const letters = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/* Which of the texts hold the needle, in small letters; those are made at the first search. */
class Searchable {
  constructor(texts) {
    this.texts = texts;
  }
  hits(needle) {
    this.small ||= this.texts.map((text) => text.toLowerCase());
    return this.small.map((text) => text.includes(needle));
  }
}

class ReplyData {
  constructor(index) {
    Object.assign(this, { arms: index.arms, verdicts: index.verdicts, counts: index.moves, prompts: index.prompts });
    this.columns = new Map();
    this.asked = new Searchable(this.prompts.map((prompt) => `${prompt.question}\n${prompt.text}`));
  }

  static async open() {
    return new ReplyData(await unpacked("index"));
  }

  column(arm) {
    if (!this.columns.has(arm)) {
      const column = unpacked(`column-${this.arms.indexOf(arm)}`);
      this.columns.set(arm, column.then((found) => Object.assign(found, { arm, search: new Searchable(found.replies) })));
    }
    return this.columns.get(arm);
  }

  /* How many pairs have which verdicts in the whole run: [left verdict, right verdict, pairs]. */
  moves(left, right) {
    const [a, b] = [this.arms.indexOf(left), this.arms.indexOf(right)];
    const counts = this.between(a, b);
    return counts.flatMap((row, was) => row.map((pairs, is) => [this.verdicts[a < b ? was : is], this.verdicts[a < b ? is : was], pairs]));
  }
  between(a, b) {
    return this.counts[`${Math.min(a, b)} ${Math.max(a, b)}`] || [];
  }

  /* Seeds that stand beside each other: an arm of one seed beside every seed of the other. */
  seeds(left, right) {
    if (right.seeds.length === 1 && left.seeds.length > 1) return left.seeds.map((seed) => [seed, right.seeds[0], seed]);
    if (left.seeds.length === 1) return right.seeds.map((seed) => [left.seeds[0], seed, seed]);
    return [...new Set([...left.seeds, ...right.seeds])].sort((a, b) => a - b).map((seed) => [seed, seed, seed]);
  }

  /* A row a prompt and seed that either arm has answered. */
  pairs(left, right) {
    const rows = [];
    const seeds = this.seeds(left, right);
    this.prompts.forEach((prompt, place) => {
      for (const [a, b, seed] of seeds) {
        const sides = [this.reply(left, place, a), this.reply(right, place, b)];
        if (sides[0] || sides[1]) rows.push({ prompt, place, seed, sides, key: `${prompt.benchmark}/${prompt.link}/${seed}` });
      }
    });
    return rows;
  }

  reply(column, place, seed) {
    const at = column.seeds.indexOf(seed) * this.prompts.length + place;
    return at >= 0 && column.verdict[at] >= 0 ? { column, at, seed, verdict: this.verdicts[column.verdict[at]] } : null;
  }
}

/* All that is known of a reply. */
function told({ column, at, seed, verdict }) {
  return {
    arm: column.arm, seed, verdict,
    text: column.replies[column.reply[at]],
    reason: column.reasons[column.reason[at]],
    action: column.actions[column.action[at]],
    tokens: column.tokens[at],
    entropy: column.entropy[at],
  };
}

const isFlip = ({ sides: [left, right] }) => Boolean(left && right && left.verdict !== right.verdict);

/* The rows that every filter lets pass. Filters that are not set are not asked. */
function filtered(data, rows, columns, wanted) {
  const needle = (wanted.search || "").trim().toLowerCase();
  const tests = [];
  const want = (name, test) => wanted[name] && tests.push(test);
  want("flips", (row) => isFlip(row) && (wanted.flips === "all" || row.sides[1].verdict === wanted.flips.slice("to ".length)));
  want("benchmark", (row) => row.prompt.benchmark === wanted.benchmark);
  want("intent", (row) => row.prompt.intent === wanted.intent);
  want("attack", (row) => row.prompt.strategies.includes(wanted.attack));
  want("template", (row) => row.prompt.template === wanted.template);
  want("was", ({ sides: [left] }) => left && left.verdict === wanted.was);
  want("is", ({ sides: [, right] }) => right && right.verdict === wanted.is);
  want("seed", (row) => String(row.seed) === wanted.seed);
  if (needle) {
    const asked = data.asked.hits(needle);
    const answered = new Map(columns.map((column) => [column, column.search.hits(needle)]));
    const says = (side) => side && answered.get(side.column)[side.column.reply[side.at]];
    tests.push((row) => asked[row.place] || row.sides.some(says));
  }
  return rows.filter((row) => tests.every((test) => test(row)));
}
