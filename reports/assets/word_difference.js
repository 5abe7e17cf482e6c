"use strict";

/* The words in which two texts differ, found by jsdiff. Its time grows with the square of the edits; past so many of
   them the marks would cover nearly everything anyway. */
const MOST_EDITS = 600;
const segmenter = self.Intl && Intl.Segmenter && new Intl.Segmenter("en", { granularity: "word" });

/* Words and signs, each with the blanks behind it. */
function words(text) {
  const found = [];
  for (const { segment } of segmenter.segment(text)) {
    if (found.length && !segment.trim()) found[found.length - 1] += segment;
    else found.push(segment);
  }
  return found;
}

/* Both texts in pieces, each piece with whether the other text lacks it; null where they are too different. */
function wordDifference(left, right) {
  const sides = [words(left), words(right)];
  const bare = sides.map((side) => side.map((word) => word.trimEnd()));
  const changes = Diff.diffArrays(...bare, { maxEditLength: MOST_EDITS });
  if (!changes) return null;
  const pieces = [[], []];
  const at = [0, 0];
  for (const { added, removed, count } of changes) {
    [!added, !removed].forEach((takes, side) => {
      if (!takes) return;
      const text = sides[side].slice(at[side], at[side] + count).join("");
      at[side] += count;
      pieces[side].push({ text, isAlone: Boolean(added || removed), words: count });
    });
  }
  return pieces;
}
