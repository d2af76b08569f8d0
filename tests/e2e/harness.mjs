// What every end-to-end test starts from: a portero of its own with its own ports, storage and
// admin socket, and helpers to talk to it. Everything that a test starts ends with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Clients } from './lib/clients.mjs';

export { backend, rawBackend } from './lib/backends.mjs';
export { Wire, h2request, websocketOver, WebSocketClient } from './lib/clients.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
export const binary = process.env.PORTERO_BIN ?? path.join(repository, 'build/release/portero');
const startSeconds = 20;
const stopSeconds = 30;

// Removed when the test file ends: by then everything that was started in it has stopped.
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'portero-e2e-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls `probe` until it returns something true; fails naming `what` after `seconds`.
export async function waitFor(what, probe, seconds = 10) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await pause(20);
  }
}

export function within(what, promise, seconds = 10) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took over ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

const accepts = (target) =>
  new Promise((resolve) => {
    const socket = net.connect(target);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

// Runs one command of the binary to its end.
export async function run(args, { env = {}, cwd, seconds = 20 } = {}) {
  const child = spawn(binary, args, { cwd, env: { ...process.env, ...env } });
  const output = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (output.stdout += data));
  child.stderr.on('data', (data) => (output.stderr += data));
  child.stdin.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  [output.code] = await once(child, 'close');
  clearTimeout(timer);
  return output;
}

export class Portero extends Clients {
  #child;
  stderr = '';

  constructor(folder, httpPort, httpsPort) {
    super();
    this.folder = folder;
    this.httpPort = httpPort;
    this.httpsPort = httpsPort;
    this.config = path.join(folder, 'portero.yaml');
    this.admin = path.join(folder, 'admin.sock');
    this.storage = path.join(folder, 'storage');
  }

  // Writes the site file; keys that every test wants are added unless `yaml` has them.
  write(yaml) {
    const defaults = {
      http_port: this.httpPort,
      https_port: this.httpsPort,
      bind: '127.0.0.1',
      threads: 2,
      storage: this.storage,
      admin: `unix:${this.admin}`,
      grace_period: '2s',
    };
    const missing = Object.entries(defaults).filter(([k]) => !new RegExp(`^${k}:`, 'm').test(yaml));
    writeFileSync(this.config, missing.map(([k, v]) => `${k}: ${v}\n`).join('') + yaml);
  }

  // `through`: a command that runs the rest of its arguments, such as strace.
  async start({ env = {}, ready, through = [] } = {}) {
    const [program, ...args] = [...through, binary, 'run', '--config', this.config];
    this.#child = spawn(program, args, { cwd: this.folder, env: { ...process.env, ...env } });
    this.pid = this.#child.pid;
    this.#child.stderr.on('data', (data) => (this.stderr += data));
    this.#child.stdout.on('data', (data) => (this.stderr += data));
    this.exited = once(this.#child, 'exit').then(([code, signal]) => ({ code, signal }));
    let ended = null;
    this.exited.then((status) => (ended = status));
    await waitFor('portero to serve', async () => {
      if (ended) {
        throw new Error(`portero ended at start: ${JSON.stringify(ended)}\n${this.stderr}`);
      }
      if (!(await accepts({ path: this.admin }))) return false;
      return accepts({ port: ready ?? this.httpPort, host: '127.0.0.1' });
    }, startSeconds);
  }

  signal(name) {
    this.#child.kill(name);
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  // Stops it as systemd would; returns {code, signal}.
  async stop(signal = 'SIGTERM') {
    if (this.running) this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopSeconds * 1000);
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  command(...args) {
    return run([...args, '--config', this.config]);
  }

  async status() {
    const { code, stdout, stderr } = await this.command('status', '--json');
    if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  // The PEM text of the internal CA's root.
  get ca() {
    return readFileSync(path.join(this.storage, 'internal/root.crt'), 'utf8');
  }

  // Resident memory, in KiB.
  get rss() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }
}

// Starts portero with a site file. Options: env, ready (the port that tells it serves), ports
// ([http, https], for servers that must know them first).
export async function portero(t, yaml, options = {}) {
  if (!existsSync(binary)) throw new Error(`${binary} is missing: tests/run.sh release builds it`);
  const ports = options.ports ?? [await freePort(), await freePort()];
  const edge = new Portero(temporaryFolder(), ...ports);
  edge.write(typeof yaml === 'function' ? yaml(edge) : yaml);
  t.after(async () => {
    edge.closeClients();
    const { code, signal } = await edge.stop();
    if (code !== 0) console.error(`portero ended with ${code ?? signal}`);
    if (!t.passed || process.env.E2E_LOG) console.error(edge.stderr.slice(-20_000));
  });
  await edge.start(options);
  return edge;
}
