/** About `wanted` round numbers from 0 to at least `most`. */
export function ticksUpTo(most, wanted = 5) {
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** The 1, 2 and 5 of each power of ten, from at most `least` to at least `most`; both above 0. */
export function ticksBetween(least, most) {
  const powers = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power += 1) powers.push(power);
  const all = powers.flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power));
  return all.slice(
    all.findLastIndex((tick) => tick <= least),
    all.findIndex((tick) => tick >= most) + 1,
  );
}

/** A function from values to places; values outside the range stay at its edge. */
export function linear([from, to], [start, end]) {
  return (value) => start + (end - start) * Math.min(1, Math.max(0, (value - from) / (to - from || 1)));
}

export function logarithmic([from, to], range) {
  const place = linear([Math.log10(from), Math.log10(to)], range);
  return (value) => place(Math.log10(value));
}
