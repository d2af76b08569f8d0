import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

import { binary, freePort, pause, run, temporaryFolder, waitFor } from './harness.mjs';
import { chromiumOptions } from './lib/browser.mjs';

const source = fileURLToPath(new URL('../../packaging/demo', import.meta.url));
const modules = fileURLToPath(new URL('node_modules', import.meta.url));

// The demo as packaging/demo.sh serves it, on free ports and with its state in a folder of its own.
async function demo(t) {
  const folder = path.join(temporaryFolder(), 'demo');
  const skipped = ['node_modules', '.state'].map((name) => path.join(source, name));
  cpSync(source, folder, { recursive: true, filter: (file) => !skipped.includes(file) });
  rmSync(path.join(folder, 'node_modules'), { force: true });
  symlinkSync(modules, path.join(folder, 'node_modules'));
  const ports = {};
  for (const port of ['8080', '8443', '8090', '8091']) ports[port] = String(await freePort());
  for (const name of ['portero.yaml', 'backend.py', 'publish.sh']) {
    const file = path.join(folder, name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/\b80(80|90|91)\b|\b8443\b/g, (port) => ports[port]));
  }
  const env = { XDG_RUNTIME_DIR: folder };
  const keys = path.join(folder, '.state/.env');
  await promisify(execFile)('mkdir', [path.dirname(keys)]);
  writeFileSync(keys, '', { mode: 0o600 });
  assert.equal((await run(['keys', '--env', keys])).code, 0);
  const options = { cwd: folder, env: { ...process.env, ...env } };
  const start = (command, ...args) => {
    const child = spawn(command, args, options);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    t.after(() => (child.kill(), ended));
  };
  start('python3', 'backend.py');
  start(binary, 'run', '--config', 'portero.yaml');
  const url = `https://localhost:${ports[8443]}/`;
  const answers = () => promisify(execFile)('curl', ['-skf', url]).catch(() => pause(50));
  await waitFor('the demo to answer', answers, 20);
  return { folder, url, options };
}

test('demo: its page is live, and both ways of publishing reach it', async (t) => {
  const { folder, url, options } = await demo(t);
  const browser = await chromium.launch(chromiumOptions);
  t.after(() => browser.close());
  const tab = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await tab.addInitScript(() => Object.defineProperty(navigator, 'onLine', { value: true }));
  const complaints = [];
  tab.on('pageerror', (error) => complaints.push(error.message));
  await tab.goto(url, { timeout: 30_000 });
  const shows = (text) => tab.getByText(text).first().waitFor({ timeout: 15_000 });

  await shows('127.0.0.1');
  await shows(/connected as \d+\.\d+/);
  await waitFor('one visitor', async () => (await tab.textContent('#visitors')) === '1');
  await tab.fill('input[name=text]', 'by hand');
  await tab.click('button');
  await shows('by hand (the button)');
  const published = await promisify(execFile)('sh', ['publish.sh', 'by shell'], options);
  assert.equal(published.stdout.trim(), '{}');
  await shows('by shell (curl)');
  const line = await promisify(execFile)('sh', ['publish.sh', '-n', 'by line'], options);
  await promisify(execFile)('sh', ['-c', line.stdout], { ...options, cwd: folder });
  await shows('by line (curl)');
  assert.deepEqual(complaints, []);
});
