// SPDX-License-Identifier: Apache-2.0
// A random UUID (RFC 9562, version 4). k6 1.x has crypto only where a page would, so Math.random
// makes it, which is as unique as a test needs.
export function uuid() {
  return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () =>
    Math.floor(Math.random() * 16).toString(16));
}
