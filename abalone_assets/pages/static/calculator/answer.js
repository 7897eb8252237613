// The answer on one animal: years, interval, doubts, and where it stands among known animals.

import { draw } from "./chart.js";
import { showModel } from "./model.js";
import { SEXES, capital, count, problem, share, tenth } from "./words.js";

const at = (id) => document.getElementById(id);
let shown = null;

export function showAnswer(answer) {
  shown = answer;
  at("nothing-yet").hidden = true;
  at("answer").hidden = false;
  fresh(true);
  at("years").textContent = tenth(answer.age_years);
  at("interval").textContent = interval(answer);
  showDoubts(answer.warnings);
  showStanding();
  showModel(answer.model);
  at("said").scrollIntoView({ block: "nearest" }); // on a phone it is below the form
}

export function clearAnswer() {
  shown = null;
  at("answer").hidden = true;
  at("nothing-yet").hidden = false;
}

/** Whether what is shown is of the animal as it is typed now. */
export function fresh(is) {
  at("stale").hidden = is;
  at("answer").classList.toggle("old", !is);
}

function interval({ rings, age_low: low, age_high: high, model }) {
  const told = `${tenth(rings)} rings.`;
  if (low === null) return told;
  const ten = Math.round((model.wanted_coverage ?? 0) * 10);
  return `${told} ${ten ? `${ten} of 10` : "Most"} animals like it are ${tenth(low)} to ${tenth(high)} years old.`;
}

function showDoubts(warnings) {
  at("doubts").hidden = warnings.length === 0;
  at("doubts").replaceChildren(
    ...warnings.map((warning) => {
      const item = document.createElement("li");
      item.textContent = `Not to be trusted: ${problem(warning)}`;
      return item;
    }),
  );
}

function showStanding() {
  const { standing, model } = shown;
  at("figure").hidden = standing === null;
  if (standing === null) return;
  const [one, many] = SEXES[standing.sex];
  const animals = standing.animals === 1 ? `the one ${one}` : `the ${count(standing.animals)} ${many}`;
  const said = `Older than ${share(standing.younger)} of ${animals} that the model learnt from.`;
  at("standing").textContent = said;
  const known = model.known_rings[standing.sex];
  const { age_years: age, age_low: low, age_high: high } = shown;
  const label = `${capital(many)} that the model learnt from, by age; this one at ${tenth(age)} years. ${said}`;
  draw(at("chart"), { counts: known, age, low, high, label });
}

new ResizeObserver(() => shown && showStanding()).observe(at("figure"));
