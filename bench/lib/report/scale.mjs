/** Round numbers from 0 to at least `most`, about `wanted` of them. */
export function ticksUpTo(most, wanted = 5) {
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** A function from values to places; what is outside stays at the edge. */
export function linear([from, to], [start, end]) {
  return (value) => start + (end - start) * Math.min(1, Math.max(0, (value - from) / (to - from || 1)));
}

export function logarithmic([from, to], range) {
  const place = linear([Math.log10(from), Math.log10(to)], range);
  return (value) => place(Math.log10(value));
}
