// Many animals: pasted or dropped, aged line by line, shown as a table and given as a file.

import { Refused, agesOf } from "./api.js";
import { showModel } from "./model.js";
import { MEASUREMENTS, count, counted, problem, sentence, tenth } from "./words.js";
import { units } from "./units.js";

const MOST_BYTES = 4 * 2 ** 20;
const MOST_SHOWN = 1000;
const NUMBER = /^[0-9.,]+$/;
const DEFECT = "This page failed to show the ages, and it is not your table's fault: age the file with `abalone predict`.";
const card = document.querySelector("#many-card");
const form = document.querySelector("#animals");
const lines = document.querySelector("#lines");
const file = document.querySelector("#file");
const submit = form.querySelector("[type=submit]");
const at = (id) => document.getElementById(id);
let answered = null;
let last = 0;

function refuse(message) {
  at("lines-error").hidden = message === null;
  at("lines-error").textContent = message ?? "";
  lines.setAttribute("aria-invalid", String(message !== null));
}

async function ask(body) {
  const number = ++last; // an answer that a later one has overtaken is not shown
  refuse(null);
  at("ages").hidden = true;
  submit.removeAttribute("aria-busy");
  if (body.size > MOST_BYTES) {
    refuse("This file is too large for the page: age it with `abalone predict`.");
    return;
  }
  submit.setAttribute("aria-busy", "true");
  try {
    const answer = await agesOf(body, units().value);
    if (number === last) show(answer);
  } catch (error) {
    const refused = error instanceof Refused;
    if (number === last) refuse(refused ? sentence(error.message) : DEFECT);
    if (!refused) throw error;
  } finally {
    if (number === last) submit.removeAttribute("aria-busy");
  }
}

function show(answer) {
  answered = answer;
  const { animals, bad_lines: bad, model } = answer;
  const refused = bad.length ? ` ${counted(bad.length, "line is no animal", "lines are no animals")}.` : "";
  at("ages-said").textContent = `${counted(animals.length, "animal")} aged by model version ${model.version}.${refused}`;
  at("bad-lines").hidden = bad.length === 0;
  fill(at("bad-lines-table"), ["line", "what is wrong", "text"], bad.slice(0, MOST_SHOWN).map(badRow));
  at("bad-lines-rest").hidden = bad.length <= MOST_SHOWN;
  at("bad-lines-rest").textContent = `The first ${count(MOST_SHOWN)} are shown; there are ${count(bad.length - MOST_SHOWN)} more.`;
  fill(at("ages-table"), headings(answer), animals.slice(0, MOST_SHOWN).map(row));
  at("ages-shown").hidden = at("downloads").hidden = animals.length === 0;
  at("ages-rest").hidden = animals.length <= MOST_SHOWN;
  at("ages-rest").textContent = `The first ${count(MOST_SHOWN)} are shown; the download has all.`;
  at("ages").hidden = false;
  showModel(model);
}

/** The measurements' names with their units, which a header may have told: any that the server knows. */
const measured = ({ length_unit: length, weight_unit: weight }, named = (name) => name) =>
  MEASUREMENTS.map((name) => `${named(name)} (${name.endsWith("weight") ? weight : length})`);

/** The page's own columns around those that go along, which are `given_…` where they have the name of one of the page's. */
function named(before, animals, after) {
  const own = [...before, ...after];
  const others = Object.keys(animals[0]?.others ?? {});
  return [...before, ...others.map((name) => (own.includes(name.toLowerCase()) ? `given_${name}` : name)), ...after];
}

const headings = (answer) => named(
  ["line", "years", "from", "to", "rings", "not to be trusted"],
  answer.animals,
  ["sex", ...measured(answer, (name) => name.replace("_", " "))],
);

const within = (number) => (number === null ? "" : tenth(number));

const row = (animal) => [
  animal.line, tenth(animal.age_years), within(animal.age_low), within(animal.age_high), tenth(animal.rings),
  animal.warnings.map(brief).join(" "), ...Object.values(animal.others), animal.sex, ...MEASUREMENTS.map((name) => animal[name]),
];

const brief = (warning) => (warning.rule === "old" ? "An old animal." : problem(warning));

const badRow = ({ line, problems, text }) => [line, problems.map(problem).join(" "), text];

function fill(table, names, rows) {
  const head = document.createElement("thead");
  head.append(cells(names, "th"));
  head.querySelectorAll("th").forEach((cell, column) => {
    cell.scope = "col";
    if (rows.length && NUMBER.test(rows[0][column])) cell.className = "number";
  });
  const body = document.createElement("tbody");
  body.append(...rows.map((values) => cells(values, "td")));
  table.replaceChildren(head, body);
}

function cells(values, kind) {
  const made = document.createElement("tr");
  for (const value of values) {
    const cell = document.createElement(kind);
    cell.textContent = value;
    if (NUMBER.test(value)) cell.className = "number";
    if (String(value).length > 40) cell.className = "text";
    made.append(cell);
  }
  return made;
}

/** Numbers with points between commas; or, as `abalone predict --decimal-comma` writes them, commas between semicolons. */
const POINTS = { start: "", separator: ",", end: "\r\n", number: (value) => value, special: /[",\r\n]/ };
const COMMAS = {
  start: "\ufeff", separator: ";", end: "\n", number: (value) => String(value).replace(".", ","), special: /[";\r\n]/,
};

function download({ start, separator, end, number, special }) {
  const { animals, model } = answered;
  const told = ["age_years", "age_low", "age_high", "rings", "rings_low", "rings_high"];
  const head = named(["line"], animals, ["sex", ...measured(answered), ...told, "model_version", "not_to_be_trusted"]);
  const body = animals.map((animal) => [
    animal.line, ...Object.values(animal.others), animal.sex, ...MEASUREMENTS.map((each) => number(animal[each])),
    ...told.map((each) => number(animal[each] ?? "")),
    model.version, animal.warnings.map(problem).join(" "),
  ]);
  const quoted = (value) => (special.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const text = [head, ...body].map((values) => values.map(quoted).join(separator) + end).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([start, text], { type: "text/csv" }));
  link.download = `ages-model-${model.version}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function watchDrops() {
  const over = (is) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    card.classList.toggle("over", is);
  };
  card.addEventListener("dragover", over(true));
  card.addEventListener("dragleave", over(false));
  card.addEventListener("drop", (event) => {
    over(false)(event);
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped) ask(dropped);
  });
}

export function watchAnimals() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(new Blob([lines.value]));
  });
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    file.value = "";
    if (chosen) ask(chosen);
  });
  at("download").addEventListener("click", () => download(POINTS));
  at("download-commas").addEventListener("click", () => download(COMMAS));
  watchDrops();
}
