/** A measured value, to three significant digits: 170, 4.31, 9,120. */
export function value(number) {
  if (!Number.isFinite(number)) return '–';
  if (Math.abs(number) >= 1000) return Math.round(Number(number.toPrecision(3))).toLocaleString('en-US');
  if (Math.abs(number) >= 100) return number.toFixed(0);
  return Math.abs(number) >= 10 ? number.toFixed(1) : number.toFixed(2);
}

export function ratio(number) {
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

export function range({ min, max }) {
  return `${ratio(min)}–${ratio(max)}`;
}

/** The first word of a unit such as `µs of CPU per operation`. */
export function unitOf({ unit }) {
  return unit.split(' ', 1)[0];
}

export function roundsText(rounds) {
  return rounds === 1 ? '1 round' : `${rounds} rounds`;
}
