// What is said to the seller: messages, explanations of answers that are not Sluice's own, and news for screen readers.

import { one } from "./dom.js";

export function showToast(text) {
  const note = one("#toast").content.firstElementChild.cloneNode(true);
  one("[data-note-text]", note).textContent = text;
  one("#toasts").append(note);
}

// What Sluice says to a script; empty where something in front of it has answered, in words that are not for sellers.
export function sentenceOf(request) {
  return request.getResponseHeader("Content-Type")?.startsWith("text/plain") ? request.responseText : "";
}

export function explainAnswer(request) {
  const { status } = request;
  const sentence = sentenceOf(request);
  if (sentence) return sentence;
  if (!status) return "The connection dropped.";
  if (status === 408) return "The upload timed out.";
  if (status === 413) return "The server in front of Sluice does not accept files of this size. Split the file, or tell its operator.";
  if ([502, 503, 504].includes(status)) return `Sluice is not responding (error ${status}).`;
  return `Something in front of Sluice answered in its place (status ${status}).`;
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-note-close]")?.closest(".note").remove();
});
// The style sheet fades a toast out after a while, unless the pointer rests on it.
document.addEventListener("animationend", (event) => {
  if (event.animationName === "toast-out") event.target.remove();
});

// How an import moves, for screen readers: progress now and then, a new status as soon as one may speak again.

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
