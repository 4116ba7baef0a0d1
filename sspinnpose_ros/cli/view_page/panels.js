// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Says in words how far the estimate may be trusted: status, sensors, latency, verdict.

const SHARE_OF_BAR = 0.5; // where the usual residual sits on its bar

export class Panels {
  constructor(scene, column) {
    this.scene = scene;
    this.column = column;
    this.sensorLevels = Object.fromEntries(scene.sensors.map((name) => [name, 'STALE']));
    this.diagnostics = {};
    this.rows = {};
    this.pill = document.getElementById('status');
    this.level = document.getElementById('level');
    this.message = document.getElementById('message');
    document.getElementById('sensor-note').textContent = scene.live ? 'as the node hears it' : '';
    const body = document.querySelector('#sensors tbody');
    for (const name of scene.sensors) body.append(this.sensorRow(name));
    if (scene.trust) this.showTrust(scene.trust);
    if (!scene.live) {
      this.showLatency(scene.latency);
      document.getElementById('no-latency').hidden = Boolean(scene.latency);
    } else this.showLatency({});
  }

  sensorRow(name) {
    const row = document.createElement('tr');
    row.dataset.sensor = name;
    row.innerHTML = '<td><span class="dot"></span><span class="name"></span></td>'
      + '<td>BAR<output></output></td><td>BAR<output></output></td><td></td>';
    for (const cell of row.querySelectorAll('td:nth-child(2), td:nth-child(3)')) {
      cell.innerHTML = '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        + '<rect class="track" width="100" height="10" rx="3"/><rect class="bar" height="10" rx="3"/>'
        + `<line class="usual" x1="${100 * SHARE_OF_BAR}" x2="${100 * SHARE_OF_BAR}" y2="10"/></svg>`
        + '<output></output>';
    }
    row.querySelector('.name').textContent = name.replace('_r', ' right').replace('_l', ' left');
    this.rows[name] = {
      row,
      bars: [...row.querySelectorAll('.bar')],
      outputs: [...row.querySelectorAll('output')],
      note: row.lastElementChild,
    };
    return row;
  }

  setStatus({ level, message }) {
    this.pill.dataset.level = level;
    setText(this.level, level);
    setText(this.message, message);
  }

  setRow(row, status) {
    const { scene, column } = this;
    for (const name of scene.sensors) {
      const shown = this.rows[name];
      const values = [row[column[`residual_force_${name}`]], row[column[`residual_rate_${name}`]]];
      const usual = scene.usual_residual[name];
      values.forEach((value, index) => {
        const share = Number.isFinite(value) ? (SHARE_OF_BAR * value) / usual[index] : 0;
        shown.bars[index].setAttribute('width', (100 * Math.min(1, share)).toFixed(1));
        setText(shown.outputs[index], Number.isFinite(value) ? value.toFixed(index + 1) : '–');
      });
      const { level, note } = this.sensorVerdict(name, values, usual, status);
      this.sensorLevels[name] = level;
      shown.row.dataset.level = level;
      setText(shown.note, note);
    }
  }

  // A live node judges its sensors itself.
  sensorVerdict(name, values, usual, status) {
    const told = this.diagnostics.sensors?.[name];
    if (this.scene.live) {
      if (!told) return { level: 'STALE', note: 'not heard of yet' };
      const jitter = told.jitter_ms === null ? '' : `, jitter ${told.jitter_ms.toFixed(1)} ms`;
      const dropped = told.dropped ? `, ${told.dropped} dropped` : '';
      return { level: this.scene.levels[told.level] ?? 'STALE', note: `${told.message}${jitter}${dropped}` };
    }
    if (!values.some(Number.isFinite)) {
      const silent = status.level === 'STALE' || status.level === 'ERROR';
      return silent ? { level: 'STALE', note: '' } : { level: 'ERROR', note: 'absent' };
    }
    const unusual = values.some((value, index) => value > this.scene.unusual * usual[index]);
    return unusual ? { level: 'WARN', note: 'more than usual' } : { level: 'OK', note: '' };
  }

  setDiagnostics(diagnostics) {
    if (diagnostics === null) return;
    this.diagnostics = diagnostics;
    this.showLatency({
      p50_ms: diagnostics.latency_p50_ms,
      p99_ms: diagnostics.latency_p99_ms,
      max_ms: diagnostics.latency_max_ms,
      compute_ms: diagnostics.compute_p50_ms,
      rate_hz: diagnostics.rate_hz,
    });
  }

  showLatency(latency) {
    const list = document.getElementById('latency');
    list.replaceChildren();
    if (!latency) return;
    for (const [key, words, unit] of [
      ['p50_ms', 'half of them within (p50)', 'ms'],
      ['p99_ms', '99 of 100 within (p99)', 'ms'],
      ['max_ms', 'longest', 'ms'],
      ['compute_ms', 'of it computing (p50)', 'ms'],
      ['rate_hz', 'estimates', 'Hz'],
    ]) {
      const value = latency[key];
      if (value === undefined && key !== 'p50_ms' && key !== 'p99_ms') continue;
      const item = document.createElement('div');
      const name = document.createElement('dt');
      const number = document.createElement('dd');
      name.textContent = words;
      number.textContent = Number.isFinite(value) ? `${value.toFixed(value < 1 && unit === 'ms' ? 2 : 1)} ${unit}` : '–';
      number.dataset.key = key;
      item.append(name, number);
      list.append(item);
    }
  }

  showTrust(trust) {
    document.getElementById('trust-title').hidden = false;
    document.getElementById('trust').textContent = trust.sentence;
    const list = document.getElementById('warnings');
    for (const sentence of trust.warnings) {
      const item = document.createElement('li');
      item.textContent = sentence;
      list.append(item);
    }
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
