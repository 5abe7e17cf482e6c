"use strict";

/* A button that copies a command, or selects it where copying is not allowed; and what is folded is open in print. */
for (const command of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "Copied";
    } catch (error) {
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error; // refused, or no clipboard at all
      getSelection().selectAllChildren(command);
    }
  });
  command.after(button);
}

{
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}
