// What the server is asked. It judges every animal; the page only shows what it says.

/** A refusal: `message` for people, `errors` by column, `status` 0 when nothing answered. */
export class Refused extends Error {
  constructor(status, message, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

async function answerOf(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer. Is it running? Nothing you typed is lost.");
  }
  const document = await response.json().catch(() => null);
  if (response.ok && document !== null) return document;
  const message = document?.Message ?? `The server answered ${response.status}.`;
  throw new Refused(response.status, message, document?.errors ?? []);
}

const asJson = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

/** Which model answers now, or why none does. */
export const liveModel = () => answerOf("/age/model");

/** What is wrong with an animal, and what is odd about it; it may be half typed. */
export const check = (animal, signal) => answerOf("/age/check", asJson(animal, signal));

/** How old an animal is. */
export const ageOf = (animal) => answerOf("/age", asJson(animal));

/** How old the animals of a text or a file are. */
export const agesOf = (lines, units) =>
  answerOf(`/ages?units=${encodeURIComponent(units)}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
    body: lines,
  });
