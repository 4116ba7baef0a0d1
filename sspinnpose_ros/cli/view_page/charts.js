// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Draws the last five seconds of a quantity, right and left.

const SHOWN_S = 5;
const GAP_S = 0.055; // a curve is not drawn across more than this
const DEGREES = 180 / Math.PI;
const GRAVITY = 9.81;

export function makeCharts(scene, column) {
  const joints = { hip: 'hip_flexion', knee: 'knee_angle', ankle: 'ankle_angle' };
  const charts = [];
  const range = { hip: [-35, 55], knee: [-10, 80], ankle: [-45, 35] };
  for (const [name, joint] of Object.entries(joints)) {
    charts.push(new Chart({
      parent: 'angles', name, digits: 1, range: range[name], column, mean: `angle_${joint}`, sigma: `sigma_angle_${joint}`,
      scale: () => DEGREES,
    }));
  }
  for (const [name, joint] of Object.entries(joints)) {
    charts.push(new Chart({
      parent: 'moments', name, digits: 2, range: [-1.6, 1.2], column, mean: `moment_${joint}`,
      sigma: `sigma_moment_${joint}`, scale: (mass) => 1 / mass,
    }));
  }
  for (const [name, key, range] of [['up', 'grf_up', [-10, 130]], ['forward', 'grf_forward', [-30, 30]]]) {
    charts.push(new Chart({
      parent: 'forces', name, digits: 0, range, column, mean: key, sigma: null,
      scale: (mass) => 100 / (mass * GRAVITY),
    }));
  }
  return charts;
}

class Chart {
  constructor({ parent, name, digits, range, column, mean, sigma, scale }) {
    this.range = range;
    this.shownRange = [...range];
    this.digits = digits;
    this.scale = scale;
    this.factor = scale(NaN);
    this.columns = ['r', 'l'].map((side) => ({
      side,
      mean: column[`${mean}_${side}`],
      sigma: sigma === null ? undefined : column[`${sigma}_${side}`],
    }));
    const figure = document.createElement('figure');
    figure.innerHTML = '<figcaption><span></span><span class="numbers"><output class="r"></output>'
      + '<output class="l"></output></span></figcaption><canvas></canvas>';
    figure.querySelector('span').textContent = name;
    figure.dataset.quantity = mean;
    this.outputs = [...figure.querySelectorAll('output')];
    this.canvas = figure.querySelector('canvas');
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', `${name}, right and left, last ${SHOWN_S} s`);
    document.getElementById(parent).append(figure);
    this.pen = this.canvas.getContext('2d');
  }

  setMass(mass) {
    this.factor = this.scale(mass);
  }

  draw(source) {
    const { pen, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);

    const end = source.time;
    const from = source.indexOf(end - SHOWN_S);
    const to = source.index;
    const step = Math.max(1, Math.floor((to - from) / (2 * width)));
    this.fit(source, from, to, step);
    const [low, high] = this.shownRange;
    const left = 26;
    const x = (time) => left + (width - left - 2) * (1 - (end - time) / SHOWN_S);
    const y = (value) => 4 + (height - 8) * (high - value) / (high - low);

    pen.font = '10px system-ui, sans-serif';
    pen.fillStyle = color('--soft');
    pen.strokeStyle = color('--grid');
    pen.lineWidth = 1;
    pen.textAlign = 'right';
    pen.textBaseline = 'middle';
    const tick = niceTick(high - low);
    for (let value = Math.ceil(low / tick) * tick; value <= high; value += tick) {
      const place = Math.round(y(value)) + 0.5;
      pen.globalAlpha = Math.abs(value) < 1e-9 ? 1 : 0.45;
      pen.beginPath();
      pen.moveTo(left, place);
      pen.lineTo(width, place);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.fillText(String(Number(value.toFixed(2))), left - 4, Math.min(height - 5, Math.max(6, place)));
    }
    pen.lineWidth = 1.6;
    pen.lineJoin = 'round';
    for (const { side, mean, sigma } of this.columns) {
      pen.strokeStyle = pen.fillStyle = color(side === 'r' ? '--right' : '--left');
      if (sigma !== undefined) this.band(source, { from, to, step, mean, sigma, x, y });
      pen.beginPath();
      let before = -Infinity;
      for (let index = from; index <= to; index += step) {
        const time = source.timeOf(index);
        const value = source.at(index)[mean] * this.factor;
        if (!Number.isFinite(value)) continue;
        if (time - before < step * GAP_S) pen.lineTo(x(time), y(value));
        else pen.moveTo(x(time), y(value));
        before = time;
      }
      pen.stroke();
    }
    const now = source.at(to);
    this.columns.forEach(({ side, mean }, index) => {
      const value = now[mean] * this.factor;
      const text = Number.isFinite(value) ? value.toFixed(this.digits) : '–';
        this.outputs[index].value = `${side.toUpperCase()} ${text}`;
    });
  }

  // One sigma around the curve.
  band(source, { from, to, step, mean, sigma, x, y }) {
    const { pen } = this;
    pen.globalAlpha = 0.15;
    let upper = [];
    let lower = [];
    let before = -Infinity;
    const fill = () => {
      if (upper.length > 1) {
        pen.beginPath();
        upper.forEach(([a, b], index) => (index ? pen.lineTo(a, b) : pen.moveTo(a, b)));
        lower.reverse().forEach(([a, b]) => pen.lineTo(a, b));
        pen.fill();
      }
      upper = [];
      lower = [];
    };
    for (let index = from; index <= to; index += step) {
      const row = source.at(index);
      const value = row[mean] * this.factor;
      const spread = row[sigma] * this.factor;
      if (!Number.isFinite(value + spread)) continue;
      const time = source.timeOf(index);
      if (time - before >= step * GAP_S) fill();
      before = time;
      const place = x(time);
      upper.push([place, y(value + spread)]);
      lower.push([place, y(value - spread)]);
    }
    fill();
    pen.globalAlpha = 1;
  }

  // The usual range holds until the curve leaves it.
  fit(source, from, to, step) {
    let [low, high] = this.range;
    for (let index = from; index <= to; index += step) {
      const row = source.at(index);
      for (const { mean } of this.columns) {
        const value = row[mean] * this.factor;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    this.shownRange = [low, high];
  }
}

function niceTick(span) {
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((tick) => tick >= rough);
}
