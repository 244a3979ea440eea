// Keeps the list fresh. Without this script the page works just as well, and is as old as its last load.
const main = document.querySelector("main[data-refresh]");
if (main) {
  setInterval(async () => {
    if (document.hidden || main.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      main.innerHTML = fresh.querySelector("main").innerHTML;
      document.title = fresh.title;
    } catch { /* offline: the next round tries again */ }
  }, Number(main.dataset.refresh) * 1000);
}
