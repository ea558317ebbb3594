// Measures how far an upload has come and how fast it goes, and says so.

import { language } from "./dom.js";

const SPEED_SECONDS = 5;
const STALLED_SECONDS = 5;

const inUnit = (value, unit, options) => new Intl.NumberFormat(language, { style: "unit", unit, ...options }).format(value);

export function describeSize(bytes) {
  if (bytes < 1e3) return inUnit(bytes, "byte", { unitDisplay: "long" });
  const [value, unit, digits] =
    bytes < 1e6 ? [bytes / 1e3, "kilobyte", 1] : bytes < 1e9 ? [bytes / 1e6, "megabyte", 1] : [bytes / 1e9, "gigabyte", 2];
  return inUnit(value, unit, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function describeRest(seconds) {
  const [value, unit] =
    seconds < 55 ? [Math.ceil(seconds / 10) * 10, "second"] : seconds < 3300 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return `about ${inUnit(Math.round(value) || 1, unit, { unitDisplay: "long" })}`;
}

export class Meter {
  constructor(total) {
    Object.assign(this, { total, loaded: 0, samples: [], movedAt: performance.now() });
    this.add(0);
  }

  add(loaded) {
    const now = performance.now();
    if (loaded > this.loaded) this.movedAt = now;
    this.loaded = Math.min(loaded, this.total);
    this.samples.push([now, this.loaded]);
    while (this.samples.length > 2 && now - this.samples[0][0] > SPEED_SECONDS * 1000) this.samples.shift();
  }

  get percent() {
    return this.total ? Math.floor((this.loaded / this.total) * 100) : 100;
  }

  describe() {
    if (this.loaded === this.total) return "Upload complete. Checking the last rows…";
    const words = [`Uploading… ${this.percent}%`, `${describeSize(this.loaded)} of ${describeSize(this.total)}`];
    const quiet = (performance.now() - this.movedAt) / 1000;
    const seconds = (performance.now() - this.samples[0][0]) / 1000;
    const speed = (this.loaded - this.samples[0][1]) / seconds;
    if (quiet >= STALLED_SECONDS) words.push(`stalled for ${Math.floor(quiet)} seconds`);
    else if (seconds >= 1 && speed > 0) {
      words.push(`${describeSize(Math.round(speed))}/s`, `${describeRest((this.total - this.loaded) / speed)} left`);
    }
    return words.join(" · ");
  }
}
