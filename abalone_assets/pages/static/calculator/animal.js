// One animal: checked by the server while it is typed, aged when it is asked for.

import { Refused, ageOf, check } from "./api.js";
import { clearAnswer, fresh, showAnswer } from "./answer.js";
import { MEASUREMENTS, atField, sentence } from "./words.js";
import { onUnits, other, units, use } from "./units.js";

const PAUSE_MS = 250;
const form = document.querySelector("#animal");
const mistaken = document.querySelector("#units-error");
const submit = form.querySelector("[type=submit]");
const at = (id) => document.getElementById(id); // form.elements.length is a number of its own
let waiting = null;
let running = null;
let asked = false; // from the first question on, what is missing is told

function animal() {
  const typed = { units: units().value, sex: form.elements.sex.value || null };
  for (const name of MEASUREMENTS) typed[name] = at(name).value.trim() || null;
  return typed;
}

const byColumn = (problems) => new Map(problems.map((each) => [each.column, each]));

/** What is wrong with each field; where nothing is, what is odd about it. */
function show(errors, warnings = []) {
  const wrong = byColumn(errors.filter((each) => asked || each.rule !== "missing"));
  const odd = byColumn(warnings);
  for (const name of ["sex", ...MEASUREMENTS]) {
    const told = wrong.get(name) ?? odd.get(name);
    const place = at(`${name}-error`);
    place.hidden = told === undefined;
    place.textContent = told ? message(told) : "";
    place.classList.toggle("odd", !wrong.has(name));
    if (name !== "sex") at(name).setAttribute("aria-invalid", String(wrong.has(name)));
  }
  showUnits(wrong.get("units"));
}

function message({ column, rule, message: said }) {
  if (rule !== "missing") return atField(column, said);
  return column === "sex" ? "Choose one." : "Fill it in.";
}

function showUnits(error) {
  mistaken.hidden = error === undefined;
  if (error === undefined) return;
  mistaken.querySelector("p").textContent = `Units: ${sentence(error.message)}`;
  const { length, weight } = other().dataset;
  mistaken.querySelector("button").textContent = `They are ${length} and ${weight}`;
}

/** Have the server look at what is there, once typing pauses. */
function checkSoon() {
  clearTimeout(waiting);
  fresh(false);
  waiting = setTimeout(checkNow, PAUSE_MS);
}

async function checkNow() {
  running?.abort();
  running = new AbortController();
  try {
    const { errors, warnings } = await check(animal(), running.signal);
    show(errors, warnings);
  } catch (error) {
    // Whether the server answers is told where the model is; a check that was overtaken is none.
    if (!(error instanceof Refused) && error.name !== "AbortError") throw error;
  }
}

async function ask(event) {
  event.preventDefault();
  clearTimeout(waiting);
  running?.abort();
  asked = true;
  submit.setAttribute("aria-busy", "true");
  const sent = JSON.stringify(animal());
  try {
    const answer = await ageOf(animal());
    const same = sent === JSON.stringify(animal());
    if (same) show([], answer.warnings); // else of what is typed now a check is under way
    showAnswer(answer);
    fresh(same);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(error);
  } finally {
    submit.removeAttribute("aria-busy");
  }
}

function refuse(error) {
  fresh(false);
  if (error.errors.length) {
    show(error.errors);
    const first = form.querySelector("[aria-invalid=true]") ?? form.querySelector("[name=sex]");
    first.focus();
  } else {
    showUnits(undefined);
    at("sex-error").hidden = false;
    at("sex-error").textContent = sentence(error.message);
  }
}

export function watchAnimal() {
  form.addEventListener("input", checkSoon);
  form.addEventListener("submit", ask);
  form.addEventListener("reset", () => {
    asked = false;
    clearTimeout(waiting);
    running?.abort();
    show([]);
    clearAnswer();
  });
  mistaken.querySelector("button").addEventListener("click", () => use(other()));
  onUnits(() => {
    if (Object.values(animal()).some((value, index) => index && value)) checkSoon();
  });
}
