// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Keeps the newest rows that a live node's listener sends.

const KEPT = 1500;
const SILENT_MS = 1500;

export class Live {
  constructor(scene, column) {
    this.scene = scene;
    this.column = column;
    this.rows = [];
    this.heard = null;
    this.told = { level: 'STALE', message: 'no estimator was heard yet' };
    this.trouble = '';
    this.onRobot = this.onDiagnostics = () => {};
  }

  get count() {
    return this.rows.length;
  }

  get index() {
    return this.rows.length - 1;
  }

  get time() {
    return this.rows.length ? this.timeOf(this.index) : 0;
  }

  at(index) {
    return this.rows[index];
  }

  timeOf(index) {
    return this.rows[index][this.column.time];
  }

  indexOf(time) {
    let index = this.rows.length - 1;
    while (index > 0 && this.timeOf(index) > time) index -= 1;
    return index;
  }

  begin() {
    const events = new EventSource('events');
    const on = (kind, use) => events.addEventListener(kind, (event) => {
      use(JSON.parse(event.data));
      this.trouble = '';
    });
    on('robot', (robot) => this.onRobot(robot));
    on('rows', (rows) => this.append(rows));
    on('diagnostics', (diagnostics) => this.onDiagnostics(diagnostics));
    on('status', (status) => {
      this.heard = performance.now();
      this.told = { level: this.scene.levels[status.level] ?? 'STALE', message: status.message };
    });
    events.addEventListener('ended', (event) => {
      this.trouble = JSON.parse(event.data).message;
      events.close();
    });
    events.addEventListener('error', () => {
      this.trouble ||= 'sspinnpose view was ended, or does not answer';
    });
  }

  append(rows) {
    for (const numbers of rows) {
      const row = Float32Array.from(numbers, (number) => number ?? NaN);
      // A bag that starts over, or another node.
      if (this.rows.length && row[this.column.time] <= this.time) this.rows = [];
      this.rows.push(row);
    }
    if (this.rows.length > KEPT) this.rows.splice(0, this.rows.length - KEPT);
  }

  advance() {
    return this.rows.length ? this.rows[this.rows.length - 1] : null;
  }

  status() {
    if (this.trouble) return { level: 'ERROR', message: this.trouble };
    const silent = this.heard === null ? 0 : performance.now() - this.heard;
    if (silent > SILENT_MS) {
      return { level: 'STALE', message: `nothing was heard for ${(silent / 1000).toFixed(0)} s` };
    }
    return this.told;
  }
}
