// Shows times in the reader's own time zone.

import { all, language } from "./dom.js";

const format = (options) => new Intl.DateTimeFormat(language, options).format;
const clock = { hour: "2-digit", minute: "2-digit" };
const sayTime = format(clock);
const sayDay = format({ day: "numeric", month: "short" });
const sayYear = format({ day: "numeric", month: "short", year: "numeric" });
const sayExactly = format({ dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

export const saySeconds = format({ ...clock, second: "2-digit" });

// Today and yesterday by their names, and the year only where it is another one.
function sayMinutes(moment) {
  const now = new Date();
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate());
  // Rounded, because a day has 23 or 25 hours when the clocks change.
  const daysAgo = Math.round((midnight(now) - midnight(moment)) / 864e5);
  const isThisYear = moment.getFullYear() === now.getFullYear();
  const day = [0, 1].includes(daysAgo) ? relative.format(0 - daysAgo, "day") : (isThisYear ? sayDay : sayYear)(moment);
  return `${day}, ${sayTime(moment)}`;
}

const sayings = { minutes: sayMinutes, seconds: saySeconds };

export function localiseTimes(within) {
  for (const time of all("time[data-local]", within)) {
    const moment = new Date(time.dateTime);
    time.textContent = sayings[time.dataset.local](moment);
    time.title = sayExactly(moment);
  }
}

document.addEventListener("visibilitychange", () => {
  // A page left open since yesterday.
  if (!document.hidden) localiseTimes(document);
});
localiseTimes(document);
