// Tells screen readers how an import moves: progress now and then, a new status as soon as one may speak again.

import { one } from "./dom.js";

const REST_BETWEEN_NEWS = 10_000;
const REST_BEFORE_STATUS = 3_000;
const last = { region: null, spokeAt: -Infinity, said: null, status: null, timer: 0 };

export function announce({ news, status }) {
  if (!news) return;
  if (!last.region) {
    last.region = document.createElement("p");
    last.region.className = "visually-hidden";
    last.region.setAttribute("role", "status");
    last.region.dataset.announcer = "";
    one("#notices").append(last.region);
    // What stood on the page at first has been read with it.
    Object.assign(last, { said: news, status });
  }
  clearTimeout(last.timer);
  if (news === last.said) return;
  const rest = status === last.status ? REST_BETWEEN_NEWS : REST_BEFORE_STATUS;
  const speak = () => {
    last.region.textContent = news;
    Object.assign(last, { said: news, status, spokeAt: performance.now() });
  };
  last.timer = setTimeout(speak, Math.max(0, last.spokeAt + rest - performance.now()));
}
