// Copyright 2026 The sspinnpose_ros authors
// SPDX-License-Identifier: Apache-2.0
// Draws the wearer that the robot description describes, and the forces on the feet.
import * as THREE from './three.min.js';

const WEIGHT_M = 0.9; // length of an arrow of one body weight
const GRAVITY = 9.81;
const SIDES = ['r', 'l'];
const VIEWS = { corner: [1.9, -3.1, 0.75], side: [0, -3.8, 0.2], front: [3.8, 0, 0.2] };
const LOOK_AT_M = 0.8;
const GRID_M = 10;
const LEVEL_COLORS = { OK: '--ok', WARN: '--warn', ERROR: '--error', STALE: '--stale' };

export class Wearer {
  constructor(canvas, scene, column) {
    this.canvas = canvas;
    this.column = column;
    this.joints = scene.joints;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = THREE.PCFShadowMap;
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(34, 1, 0.05, 60);
    this.camera.up.set(0, 0, 1);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    this.controls.enablePan = false;
    this.controls.minDistance = 1;
    this.controls.maxDistance = 8;
    this.controls.maxPolarAngle = Math.PI / 2 + 0.05;
    this.forward = 0;
    this.links = {};
    this.hinges = {};
    this.sensors = {};
    this.materials = [];
    this.world = new THREE.Group();
    this.scene.add(this.world);
    this.addLight();
    this.addGround();
    this.arrows = SIDES.map((side) => this.addArrow(side));
    this.setView('corner');
    for (const button of document.querySelectorAll('#views button')) {
      button.addEventListener('click', () => this.setView(button.dataset.view));
    }
    this.dark = window.matchMedia('(prefers-color-scheme: dark)');
    this.dark.addEventListener('change', () => this.paint());
    this.paint();
  }

  addLight() {
    this.sky = new THREE.HemisphereLight(0xffffff, 0x8a8f94, 2.1);
    this.sun = new THREE.DirectionalLight(0xffffff, 2.2);
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(1024, 1024);
    this.sun.shadow.radius = 4;
    Object.assign(this.sun.shadow.camera, { left: -1.6, right: 1.6, top: 2.2, bottom: -1.6, far: 9 });
    this.scene.add(this.sky, this.sun, this.sun.target);
  }

  addGround() {
    this.shade = new THREE.Mesh(
      new THREE.PlaneGeometry(4 * GRID_M, 4 * GRID_M), new THREE.ShadowMaterial({ opacity: 0.22 }),
    );
    this.shade.receiveShadow = true;
    const points = [];
    for (let place = -GRID_M; place <= GRID_M; place += 0.5) {
      points.push(place, -GRID_M, 0, place, GRID_M, 0, -GRID_M, place, 0, GRID_M, place, 0);
    }
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute('position', new THREE.BufferAttribute(new Float32Array(points), 3));
    this.grid = new THREE.LineSegments(geometry, new THREE.LineBasicMaterial());
    this.grid.position.z = 0.001;
    this.ring = new THREE.Mesh(
      new THREE.RingGeometry(0.40, 0.43, 64), new THREE.MeshBasicMaterial({ transparent: true, opacity: 0.9 }),
    );
    this.ring.position.z = 0.002;
    this.scene.add(this.shade, this.grid, this.ring);
  }

  addArrow(side) {
    // It shows through the leg that it runs along.
    const material = new THREE.MeshBasicMaterial({ depthTest: false, transparent: true, opacity: 0.92 });
    const shaft = new THREE.Mesh(new THREE.CylinderGeometry(0.014, 0.014, 1, 20), material);
    const head = new THREE.Mesh(new THREE.ConeGeometry(0.038, 0.1, 24), material);
    const arrow = new THREE.Group();
    shaft.renderOrder = head.renderOrder = 1;
    arrow.add(shaft, head);
    arrow.visible = false;
    this.scene.add(arrow);
    return { side, arrow, shaft, head, material };
  }

  setView(name) {
    const [x, y, z] = VIEWS[name];
    this.controls.target.set(this.forward, 0, LOOK_AT_M);
    this.camera.position.set(this.forward + x, y, LOOK_AT_M + z);
    this.controls.update();
    for (const button of document.querySelectorAll('#views button')) {
      button.setAttribute('aria-pressed', String(button.dataset.view === name));
    }
  }

  // Takes the colours of the page, which follow the light or dark preference.
  paint() {
    const style = getComputedStyle(document.documentElement);
    this.palette = Object.fromEntries(
      ['--stage', '--soft', '--force', ...Object.values(LEVEL_COLORS)].map((name) => (
        [name, new THREE.Color(style.getPropertyValue(name).trim())])),
    );
    const stage = this.palette['--stage'];
    this.scene.background = stage;
    this.scene.fog = new THREE.Fog(stage, 5, 13);
    this.grid.material.color = stage.clone().lerp(this.palette['--soft'], 0.45);
    this.shade.material.opacity = this.dark.matches ? 0.45 : 0.2;
    this.arrows.forEach(({ material }) => {
      material.color = this.palette['--force'];
    });
  }

  setRobot({ urdf, prefix, mass_kg, sensors }) {
    this.mass = mass_kg;
    this.world.clear();
    this.links = {};
    this.hinges = {};
    this.sensors = {};
    this.materials = [];
    this.grey = undefined;
    const document_ = new DOMParser().parseFromString(urdf, 'application/xml');
    if (document_.querySelector('parsererror')) throw new Error('the robot description is no XML');
    const colors = {};
    for (const each of document_.querySelectorAll('robot > material')) {
      const [r, g, b] = numbers(each.querySelector('color').getAttribute('rgba'));
      colors[each.getAttribute('name')] = new THREE.Color().setRGB(r, g, b, 'srgb');
    }
    for (const link of document_.querySelectorAll('robot > link')) {
      const group = new THREE.Group();
      group.name = link.getAttribute('name').slice(prefix.length);
      for (const visual of link.querySelectorAll(':scope > visual')) {
        group.add(this.shape(visual, colors));
      }
      this.links[group.name] = group;
    }
    const children = new Set();
    for (const joint of document_.querySelectorAll('robot > joint')) {
      const link = (tag) => joint.querySelector(tag).getAttribute('link').slice(prefix.length);
      const child = this.links[link('child')];
      child.position.set(...numbers(joint.querySelector('origin').getAttribute('xyz')));
      this.links[link('parent')].add(child);
      children.add(child.name);
      const axis = joint.querySelector('axis');
      if (axis) {
        this.hinges[joint.getAttribute('name')] = {
          link: child, axis: new THREE.Vector3(...numbers(axis.getAttribute('xyz'))),
        };
      }
    }
    const root = Object.values(this.links).find((link) => !children.has(link.name));
    this.root = root;
    this.world.add(root);
    for (const [name, { link, xyz }] of Object.entries(sensors)) this.addSensor(name, link, xyz);
  }

  shape(visual, colors) {
    const geometry = visual.querySelector('geometry').firstElementChild;
    const number = (name) => Number(geometry.getAttribute(name));
    let made;
    if (geometry.localName === 'box') {
      const size = numbers(geometry.getAttribute('size'));
      made = new THREE.RoundedBoxGeometry(...size, 4, 0.3 * Math.min(...size));
    } else if (geometry.localName === 'cylinder') {
      made = new THREE.CylinderGeometry(number('radius'), number('radius'), number('length'), 32);
      made.rotateX(Math.PI / 2); // a URDF cylinder stands along z
    } else made = new THREE.SphereGeometry(number('radius'), 32, 24);
    const name = visual.querySelector('material').getAttribute('name');
    const material = new THREE.MeshStandardMaterial({ color: colors[name], roughness: 0.65 });
    material.userData.color = material.color.clone();
    this.materials.push(material);
    const mesh = new THREE.Mesh(made, material);
    const origin = visual.querySelector('origin');
    mesh.position.set(...numbers(origin.getAttribute('xyz')));
    mesh.rotation.set(...numbers(origin.getAttribute('rpy')), 'ZYX');
    mesh.castShadow = true;
    mesh.receiveShadow = true;
    return mesh;
  }

  // A sensor shows through the limb that it sits on, or in, where its place sideways is not given.
  addSensor(name, link, xyz) {
    const material = new THREE.MeshBasicMaterial({ depthTest: false, transparent: true, opacity: 0.95 });
    const box = new THREE.Mesh(new THREE.RoundedBoxGeometry(0.045, 0.03, 0.045, 3, 0.01), material);
    box.renderOrder = 2;
    box.position.set(...xyz);
    this.links[link]?.add(box);
    this.sensors[name] = box;
  }

  draw(row, status, sensorLevels) {
    this.resize();
    const known = row !== null && this.root && this.pose(row);
    const useful = known && (status.level === 'OK' || status.level === 'WARN');
    this.fade(!useful);
    this.arrows.forEach((each) => this.setArrow(each, useful ? row : null));
    this.ring.material.color = this.palette[LEVEL_COLORS[status.level] ?? '--stale'];
    for (const [name, box] of Object.entries(this.sensors)) {
      box.material.color = this.palette[LEVEL_COLORS[sensorLevels[name]] ?? '--stale'];
    }
    this.controls.update();
    this.renderer.render(this.scene, this.camera);
  }

  pose(row) {
    const { column } = this;
    const angles = this.joints.map((joint) => row[column[`angle_${joint}`]]);
    if (!angles.every(Number.isFinite)) return false;
    const place = (name) => (Number.isFinite(row[column[name]]) ? row[column[name]] : 0);
    const up = row[column.position_pelvis_up];
    this.root.position.set(place('position_pelvis_forward'), 0, Number.isFinite(up) ? up : 0.95);
    // A tilt turns about the axis to the right.
    this.root.rotation.set(0, -place('angle_pelvis_tilt'), 0);
    this.joints.forEach((joint, index) => {
      const { link, axis } = this.hinges[joint];
      link.quaternion.setFromAxisAngle(axis, angles[index]);
    });
    this.follow(this.root.position.x);
    return true;
  }

  // The camera goes along, the grid stays where it is in the world.
  follow(forward) {
    const moved = forward - this.forward;
    this.forward = forward;
    this.camera.position.x += moved;
    this.controls.target.x += moved;
    this.grid.position.x = Math.round(forward * 2) / 2;
    this.shade.position.x = forward;
    this.ring.position.x = forward;
    this.sun.position.set(forward - 1.2, -1.6, 4.2);
    this.sun.target.position.set(forward, 0, 0.7);
  }

  fade(grey) {
    if (grey === this.grey) return;
    this.grey = grey;
    for (const material of this.materials) {
      material.color.copy(material.userData.color);
      if (grey) material.color.lerp(this.palette['--stale'], 0.85);
      material.opacity = grey ? 0.45 : 1;
      material.transparent = grey;
      material.needsUpdate = true;
    }
  }

  setArrow({ side, arrow, shaft, head }, row) {
    const { column } = this;
    const force = row === null ? [NaN, NaN]
      : [row[column[`grf_forward_${side}`]], row[column[`grf_up_${side}`]]];
    const pressure = row === null ? NaN : row[column[`cop_forward_${side}`]];
    const length = (WEIGHT_M * Math.hypot(...force)) / (this.mass * GRAVITY);
    arrow.visible = Number.isFinite(pressure) && length > 0.02;
    if (!arrow.visible) return;
    const tip = Math.min(0.1, 0.5 * length);
    arrow.position.set(this.root.position.x + pressure, this.links[`thigh_${side}`].position.y, 0);
    arrow.quaternion.setFromUnitVectors(
      new THREE.Vector3(0, 1, 0), new THREE.Vector3(force[0], 0, force[1]).normalize(),
    );
    shaft.scale.y = length - tip;
    shaft.position.y = 0.5 * (length - tip);
    head.scale.set(1, tip / 0.1, 1);
    head.position.y = length - 0.5 * tip;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    if (this.size === `${width}x${height}@${ratio}` || !width || !height) return;
    this.size = `${width}x${height}@${ratio}`;
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    // A narrow page must show head and feet all the same.
    this.camera.fov = this.camera.aspect < 0.8 ? 34 / Math.max(0.55, this.camera.aspect / 0.8) : 34;
    this.camera.updateProjectionMatrix();
  }
}

function numbers(text) {
  return (text ?? '').trim().split(/\s+/).map(Number);
}
