// Pages of a PHP site in a real Chromium: styled, compressed, with a form and a password, an error
// page and a list of files.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { chromium } from 'playwright-core';

import { binary, portero, temporaryFolder } from './harness.mjs';
import { chromiumOptions } from './lib/browser.mjs';
import { fpm } from './lib/fpm.mjs';

test('browser: a PHP site, its files, its guarded part and its errors', async (t) => {
  const root = temporaryFolder();
  mkdirSync(path.join(root, 'build'));
  mkdirSync(path.join(root, 'shared'));
  writeFileSync(path.join(root, 'build/app-1a2b.css'),
    `body { color: rgb(1, 2, 3); } ${' '.repeat(4000)}`);
  writeFileSync(path.join(root, 'build/app-1a2b.js'), 'document.title = "scripts run";');
  writeFileSync(path.join(root, 'shared/report <1>.txt'), 'the report');
  writeFileSync(path.join(root, 'index.php'), `<!doctype html><title>-</title>
<link rel="stylesheet" href="/build/app-1a2b.css"><script src="/build/app-1a2b.js" defer></script>
<p id="said"><?= htmlspecialchars($_POST['name'] ?? 'nobody') ?></p>
<p id="user"><?= htmlspecialchars($_SERVER['REMOTE_USER'] ?? '-') ?></p>
<form method="post" enctype="multipart/form-data"><input name="name"><button>Send</button></form>`);
  const php = await fpm(t);
  const hash = execFileSync(binary, ['hash-password', '--password', 'letmein']).toString().trim();
  const edge = await portero(t, `
sites:
  localhost:
    root: ${root}
    encode: true
    routes:
      - {match: /shared/*, files: {browse: true}}
      - {match: /build/*, files: {cache: {"/build/*": immutable}}}
      - {match: /away, proxy: "unix:${root}/nobody.sock"}
      - {match: /staff*, basic_auth: {ann: "${hash}"}, php: "${php.address}"}
      - php: ${php.address}
`);
  const browser = await chromium.launch(chromiumOptions);
  t.after(() => browser.close());
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const seen = {};
  page.on('response', (response) => (seen[new URL(response.url()).pathname] = response));

  await page.goto(edge.url('/'));
  await page.waitForFunction(() => document.title === 'scripts run');
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), 'rgb(1, 2, 3)');
  const css = await seen['/build/app-1a2b.css'].allHeaders();
  assert.match(css['content-encoding'], /^(zstd|br|gzip)$/);
  assert.match(css['cache-control'], /immutable/);
  await page.fill('input', 'Ünï <b>');
  await page.click('button');
  await page.waitForFunction(() => document.querySelector('#said').textContent !== 'nobody');
  assert.equal(await page.textContent('#said'), 'Ünï <b>');

  await page.goto(edge.url('/shared/'));
  await page.click('text=report <1>.txt');
  assert.equal((await page.textContent('body')).trim(), 'the report');

  const away = await page.goto(edge.url('/away'));
  assert.equal(away.status(), 502);
  assert.equal(await page.textContent('h1'), '502 Bad Gateway');
  assert.match(await page.textContent('p'), /the socket file does not exist/);

  const stranger = await page.goto(edge.url('/staff'), { waitUntil: 'commit' }).catch((error) =>
    error);
  assert.ok(stranger instanceof Error ? /ERR_INVALID_AUTH_CREDENTIALS/.test(stranger.message)
                                      : stranger.status() === 401);
  const staff = await (await browser.newContext({
    ignoreHTTPSErrors: true, httpCredentials: { username: 'ann', password: 'letmein' },
  })).newPage();
  assert.equal((await staff.goto(edge.url('/staff'))).status(), 200);
  assert.equal(await staff.textContent('#user'), 'ann');
});
