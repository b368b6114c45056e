// What the customers' page does better with a script. All of it works without.

const PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 120_000;

// Times are shown in the zone of this browser.
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const here = new URL(location.href);
  const isOfTimes = ["topics", "times"].includes(document.body.dataset.page);
  if (!zone || here.searchParams.has("zone") || !isOfTimes) return;
  here.searchParams.set("zone", zone);
  location.replace(here);
}

// What answers a form is kept under the address of the form: going back to it or reloading it sends nothing.
function nameAnswer() {
  const { address } = document.body.dataset;
  if (address) history.replaceState(null, "", address);
}

// What is wrong is read out first.
function showProblems() {
  document.querySelector(".problems")?.focus();
}

// A second click sends nothing; the server would take it for the same anyway.
function sendOnce() {
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  }
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}

function follow(standing) {
  let pause = PAUSE_MS;
  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(standing.dataset.poll, { cache: "no-store", headers: { Accept: "application/json" } });
        if (answer.status === 404 || answer.status === 410) return location.reload();
        if (!answer.ok) throw new Error(answer.status);
        const found = await answer.json();
        if (found.state !== standing.dataset.state) return location.reload();
        show(found);
        pause = PAUSE_MS;
      } catch {
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
    setTimeout(look, pause);
  }
  setTimeout(look, pause);
}

function show(found) {
  for (const element of document.querySelectorAll("[data-field]")) {
    const text = found[element.dataset.field];
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  }
}

tellZone();
nameAnswer();
showProblems();
sendOnce();
const standing = document.querySelector("[data-poll]");
if (standing) follow(standing);
