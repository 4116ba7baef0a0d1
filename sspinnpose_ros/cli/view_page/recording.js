// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Plays the rows of a recording.

export class Recording {
  static async load(scene, column) {
    const bytes = await (await fetch('rows.f32')).arrayBuffer();
    return new Recording(scene, column, new Float32Array(bytes));
  }

  constructor(scene, column, numbers) {
    this.scene = scene;
    this.column = column;
    this.numbers = numbers;
    this.width = scene.columns.length;
    this.count = numbers.length / this.width;
    this.first = this.timeOf(0);
    this.last = this.timeOf(this.count - 1);
    this.time = this.first;
    this.playing = true;
    this.loop = true;
    this.speed = 1;
    this.before = null;
    this.onRobot = this.onDiagnostics = () => {};
  }

  at(index) {
    return this.numbers.subarray(index * this.width, (index + 1) * this.width);
  }

  timeOf(index) {
    return this.numbers[index * this.width + this.column.time];
  }

  // The last row that is not after a time.
  indexOf(time) {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.timeOf(middle) <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  begin() {
    const slider = document.getElementById('slider');
    const play = document.getElementById('play');
    Object.assign(slider, { min: this.first, max: this.last, value: this.first });
    document.getElementById('transport').hidden = false;
    this.slider = slider;
    this.play = play;
    this.clock = document.getElementById('now');
    document.getElementById('total').textContent = ` / ${this.last.toFixed(1)} s`;
    play.addEventListener('click', () => this.setPlaying(!this.playing));
    slider.addEventListener('input', () => this.seek(Number(slider.value)));
    document.getElementById('speed').addEventListener('change', (event) => {
      this.speed = Number(event.target.value);
    });
    document.getElementById('loop').addEventListener('change', (event) => {
      this.loop = event.target.checked;
    });
    document.addEventListener('keydown', (event) => {
      if (event.target.closest('input, select, button')) return;
      const step = { ArrowLeft: -0.01, ArrowRight: 0.01 }[event.key];
      if (event.key === ' ') this.setPlaying(!this.playing);
      else if (step) {
        this.setPlaying(false);
        this.seek(this.time + (event.shiftKey ? 10 : 1) * step);
      } else return;
      event.preventDefault();
    });
    // Such a link shows an instant: #t=4.2
    const jump = () => {
      const asked = /^#t=([\d.]+)$/.exec(location.hash);
      if (asked) {
        this.setPlaying(false);
        this.seek(Number(asked[1]));
      }
    };
    window.addEventListener('hashchange', jump);
    jump();
    this.onRobot(this.scene.robot);
    this.onDiagnostics(null);
  }

  setPlaying(playing) {
    if (playing && this.time >= this.last) this.time = this.first;
    this.playing = playing;
    this.play.textContent = playing ? '⏸' : '▶';
    this.play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
  }

  seek(time) {
    this.time = Math.min(this.last, Math.max(this.first, time));
  }

  advance(now) {
    const passed = this.before === null ? 0 : (now - this.before) / 1000;
    this.before = now;
    if (this.playing) {
      this.time += Math.min(passed, 0.5) * this.speed;
      if (this.time > this.last) {
        if (this.loop) this.time = this.first;
        else {
          this.time = this.last;
          this.setPlaying(false);
        }
      }
    }
    this.index = this.indexOf(this.time);
    this.slider.value = this.time;
    this.clock.value = this.time.toFixed(2);
    return this.at(this.index);
  }

  status() {
    const level = this.at(this.index)[this.column.level];
    const told = this.scene.status;
    let low = -1;
    for (let high = told.length; high - low > 1; ) {
      const middle = (low + high) >> 1;
      if (told[middle][0] <= this.time + 1e-4) low = middle;
      else high = middle;
    }
    const message = low >= 0 ? told[low][2] : '';
    return { level: this.scene.levels[level] ?? 'STALE', message };
  }
}
