// Time as a coordinate. In true time a unit is a nanosecond. In compact time each gap between two events is drawn by its
// logarithm, so that a pause of an hour leaves room for a round trip of a millisecond; order is kept, and events of one
// moment stay together.

/** The sorted distinct values of `times`. */
function distinct(times) {
  const sorted = Float64Array.from(times).sort();
  return sorted.filter((time, i) => i === 0 || time !== sorted[i - 1]);
}

/** The first index of `sorted` whose value is not below `value`. */
function lowerBound(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

/** `y` at `x` on the line through the points (xs, ys), both rising. */
function interpolate(xs, ys, x) {
  if (xs.length < 2) return x;
  const i = Math.min(Math.max(lowerBound(xs, x), 1), xs.length - 1);
  return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]);
}

function trueAxis(times) {
  const end = times[times.length - 1];
  return {
    compact: false, end, finest: 0.05, of: time => time, time: unit => unit,
    ticks(from, to, spacing) {
      const rough = Math.max(spacing, 1), power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map(it => it * power).find(it => it >= rough);
      const ticks = [];
      for (let k = Math.max(0, Math.ceil(from / step)); k * step <= Math.min(to, end); k++) ticks.push(k * step);
      return ticks;
    },
  };
}

function compactAxis(times) {
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  const usual = gaps.length ? Float64Array.from(gaps).sort()[gaps.length >> 1] : 1;
  const units = new Float64Array(times.length);
  gaps.forEach((gap, i) => { units[i + 1] = units[i] + Math.log2(1 + gap / usual); });
  return {
    compact: true, end: units[units.length - 1] || 1, finest: 0.002,
    of: time => interpolate(times, units, time), time: unit => interpolate(units, times, unit),
    // The first event of each cell of a grid that does not move with the view.
    ticks(from, to, spacing) {
      const cell = 2 ** Math.ceil(Math.log2(spacing)), ticks = [];
      let last = -Infinity;
      for (let k = Math.max(0, Math.floor(from / cell)); k * cell <= to; k++) {
        const i = lowerBound(units, k * cell);
        if (i === units.length) break;
        if (units[i] < (k + 1) * cell && units[i] - last >= spacing * 0.7) ticks.push(times[i]), last = units[i];
      }
      return ticks;
    },
  };
}

/** Seconds, with as many decimals as tell `step` nanoseconds apart. */
function seconds(nanos, step = 1) {
  const decimals = step >= 1e9 ? 0 : step >= 1e6 ? 3 : step >= 1e3 ? 6 : 9;
  return (nanos / 1e9).toFixed(decimals);
}

/** A time span in the unit that suits it. */
function span(nanos) {
  const [size, unit] = nanos >= 1e9 ? [1e9, 's'] : nanos >= 1e6 ? [1e6, 'ms'] : nanos >= 1e3 ? [1e3, 'µs'] : [1, 'ns'];
  return `${+(nanos / size).toFixed(3)} ${unit}`;
}
