// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Puts the page together: where rows come from, and what they are shown in.
import { Recording } from './recording.js';
import { Live } from './live.js';
import { makeCharts } from './charts.js';
import { Panels } from './panels.js';
import { Wearer } from './wearer.js';

const root = document.documentElement;

async function start() {
  const scene = await (await fetch('scene.json')).json();
  const column = Object.fromEntries(scene.columns.map((name, index) => [name, index]));
  document.getElementById('name').textContent = scene.name;
  document.title = `${scene.name} – sspinnpose view`;

  const panels = new Panels(scene, column);
  const charts = makeCharts(scene, column);
  let wearer = null;
  try {
    wearer = new Wearer(document.getElementById('wearer'), scene, column);
  } catch (error) {
    document.getElementById('no-webgl').hidden = false;
    console.warn(`no WebGL: ${error.message}`);
  }
  const source = scene.live ? new Live(scene, column) : await Recording.load(scene, column);
  source.onRobot = (robot) => {
    charts.forEach((chart) => chart.setMass(robot.mass_kg));
    wearer?.setRobot(robot);
  };
  source.onDiagnostics = (diagnostics) => panels.setDiagnostics(diagnostics);
  source.begin();

  let frames = 0;
  function draw(now) {
    const row = source.advance(now);
    const status = source.status();
    panels.setStatus(status);
    if (row !== null) {
      panels.setRow(row, status);
      charts.forEach((chart) => chart.draw(source));
    }
    wearer?.draw(row, status, panels.sensorLevels);
    root.dataset.frames = ++frames;
    root.dataset.time = row === null ? '' : row[column.time].toFixed(4);
    requestAnimationFrame(draw);
  }
  requestAnimationFrame(draw);
  // For the console of the browser, and for tests.
  window.sspinnpose = { scene, column, source, wearer };
}

start().catch((error) => {
  document.getElementById('level').textContent = 'ERROR';
  document.getElementById('message').textContent = `The page could not be set up: ${error.message}`;
  document.getElementById('status').dataset.level = 'ERROR';
});
