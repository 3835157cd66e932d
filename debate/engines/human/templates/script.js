"use strict";
// Looks every two seconds which turns wait. Without scripts the page works too: it then reloads
// itself while there is nothing to answer.
const shown = document.querySelector("main").dataset.turn;
const banner = document.getElementById("live");
const count = document.getElementById("num");

function tell(text) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
}

async function look() {
  let waiting;
  try {
    const answer = await fetch("/state", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    waiting = (await answer.json()).waiting;
  } catch {
    tell("The run has ended, or was stopped. What is typed here and not handed in is lost; once it goes on, open its new link.");
    return;
  }
  if (!shown && waiting.length) {
    location.reload();
    return;
  }
  tell(shown && !waiting.includes(Number(shown))
    ? "Nobody waits for this turn any longer. Load the page again for the next one."
    : "");
  if (count) count.textContent = waiting.length;
}

setInterval(look, 2000);
