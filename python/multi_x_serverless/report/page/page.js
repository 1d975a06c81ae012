"use strict";
(function () {
  // Boxes that are wider than the page say so, and are stops of the tab key; others need not be.
  const watch = new ResizeObserver(function (entries) {
    for (const { target: box } of entries) {
      const scrolls = box.scrollWidth > box.clientWidth + 1;
      box.previousElementSibling.hidden = !scrolls;
      box.tabIndex = scrolls ? 0 : -1;
    }
  });
  for (const box of document.querySelectorAll(".scroll")) {
    watch.observe(box);
    if (box.classList.contains("picture")) {
      // The entry of the graph is in its middle.
      box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
    }
  }
})();
(function () {
  const data = JSON.parse(document.getElementById("hours").textContent);
  const slider = document.getElementById("hour");
  const clock = document.getElementById("hour-clock");
  const sentence = document.getElementById("hour-sentence");
  const play = document.getElementById("play");
  const mark = document.querySelector(".hour-mark");
  const nodes = Array.from(document.querySelectorAll("[data-node]"));
  const markers = Array.from(document.querySelectorAll("[data-region]"));
  const arcs = Array.from(document.querySelectorAll("[data-arc]"));
  const STEP_MS = 900;
  let timer = null;

  function show(hour) {
    const state = data.hours[hour];
    slider.setAttribute("aria-valuetext", state.clock);
    clock.textContent = state.clock;
    sentence.textContent = state.sentence;
    for (const node of nodes) {
      const region = data.regions[state.nodes[Number(node.dataset.node)]];
      node.setAttribute("class", "node " + region.style);
      node.querySelector(".letter").textContent = region.letter;
      node.querySelector(".place").textContent = region.code;
    }
    for (const marker of markers) {
      const used = state.nodes.includes(Number(marker.dataset.region));
      marker.classList.toggle("is-empty", !used);
    }
    for (const arc of arcs) {
      arc.classList.toggle("is-off", !state.pairs.includes(Number(arc.dataset.arc)));
    }
    if (mark) {
      mark.setAttribute("x", Number(mark.dataset.left) + hour * Number(mark.dataset.step));
    }
  }

  function stop() {
    if (timer !== null) {
      clearInterval(timer);
      timer = null;
    }
    // While it plays, every hour would be read out.
    sentence.setAttribute("aria-live", "polite");
    play.textContent = "Play";
  }

  function next() {
    slider.value = String((Number(slider.value) + 1) % data.hours.length);
    show(Number(slider.value));
  }

  slider.addEventListener("input", function () {
    stop();
    show(Number(slider.value));
  });
  play.addEventListener("click", function () {
    if (timer !== null) {
      stop();
      return;
    }
    sentence.setAttribute("aria-live", "off");
    play.textContent = "Pause";
    timer = setInterval(next, STEP_MS);
    next();
  });
  document.getElementById("controls").hidden = false;
  show(Number(slider.value));
})();
