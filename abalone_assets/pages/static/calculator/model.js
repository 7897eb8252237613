// The model that answers now, looked up every few seconds, so that the page follows a swap.

import { liveModel } from "./api.js";
import { count, ended, sentence, share } from "./words.js";

const POLL_MS = 3000;
const waiting = document.querySelector("#waiting");
const box = document.querySelector("#model");
const facts = document.querySelector("#model-facts");
const asking = document.querySelectorAll("form button.primary");

/** Show a model, such as the one of an answer; null when none answers, and what is said then. */
export function showModel(model, said = "") {
  waiting.hidden = model !== null;
  box.hidden = model === null;
  for (const button of asking) button.disabled = model === null;
  if (model === null) {
    if (waiting.textContent !== said) waiting.textContent = said;
    return;
  }
  const told = JSON.stringify(model);
  if (facts.dataset.told === told) return; // a link that is being read stays where it is
  facts.dataset.told = told;
  facts.replaceChildren(...sentences(model));
}

function sentences(model) {
  const said = [`Version ${model.version}.`];
  if (model.rmse !== null) {
    const animals = model.test_animals === null ? "animals" : `${count(model.test_animals)} animals`;
    said.push(`On ${animals} that it had not seen it was off by ${model.rmse.toFixed(3)} rings (RMSE).`);
  }
  if (model.coverage !== null) {
    said.push(`Its intervals held ${share(model.coverage)} of them; ${share(model.wanted_coverage)} is the aim.`);
  }
  const nodes = [said.join(" ")];
  if (model.report !== null) {
    const link = document.createElement("a");
    link.href = model.report;
    link.textContent = `Report on version ${model.version}`;
    nodes.push(" ", link);
  }
  return nodes;
}

async function look() {
  try {
    const { model, waiting: reason } = await liveModel();
    showModel(model, `No model answers yet: ${ended(reason ?? "")} Once one does, this page shows it by itself.`);
  } catch (error) {
    showModel(null, `${sentence(error.message)} Once it answers again, this page goes on by itself.`);
  }
}

/** Look now, and every few seconds while somebody can see it. */
export function follow() {
  look();
  setInterval(() => document.hidden || look(), POLL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look());
}
