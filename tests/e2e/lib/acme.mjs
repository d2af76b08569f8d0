// What the tests of certificates ask a server for.
import assert from 'node:assert/strict';

import { freePort, waitFor } from '../harness.mjs';

export const somePorts = async () => [await freePort(), await freePort()];

// An entry of `issuers` for a Pebble or a front.
export const issuer = ({ directory, roots }, more = '') =>
  `{directory: "${directory}", roots: ${roots}${more}}`;

// The rows of `portero certs` by name.
export async function certs(edge, ...args) {
  const { code, stdout, stderr } = await edge.command('certs', '--json', ...args);
  assert.equal(code, 0, stderr);
  return Object.fromEntries(JSON.parse(stdout).certificates.map((row) => [row.name, row]));
}

export async function obtained(edge, names, seconds = 20) {
  let rows;
  await waitFor(`certificates for ${names.join(', ')}`, async () => {
    rows = await certs(edge);
    return names.every((name) => rows[name]?.issuer && !rows[name].in_progress);
  }, seconds);
  return rows;
}

// The last error of a name, once it has one.
export async function failure(edge, name, seconds = 20) {
  let error;
  await waitFor(`a failure of ${name}`, async () => {
    const row = (await certs(edge))[name];
    error = row.last_error;
    return error && !row.in_progress;
  }, seconds);
  return error;
}
