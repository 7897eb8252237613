// Numbers and names as people read them.

const whole = new Intl.NumberFormat("en");
const shares = new Intl.NumberFormat("en", { style: "percent" });

export const SEXES = { M: ["male", "males"], F: ["female", "females"], I: ["infant", "infants"] };
export const MEASUREMENTS = [
  "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight", "shell_weight",
];

export const count = (number) => whole.format(number);
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const share = (number) => shares.format(number);
export const tenth = (number) => number.toFixed(1);
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const ended = (text) => text.trim().replace(/[^.?!]$/, "$&.");
export const sentence = (text) => capital(ended(text));

/** A rule's message for the field that it stands at: without the field's name, which is its label. */
export const atField = (column, message) =>
  sentence(
    message.startsWith(`${column} is `) ? `It ${message.slice(column.length + 1)}` : message.replace(`${column}: `, ""),
  );

/** What is said of a problem where its column is not at hand. */
export const problem = ({ message }) => sentence(message.replaceAll("_", " "));
