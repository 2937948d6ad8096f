// Reads {"root": TrustedRoot, "cases": {NAME: {"bundle": Bundle, "data": base64 or null, "identity": SAN}}} on
// standard input, verifies each case with sigstore-js and writes {NAME: "ok" or the error's code}.
'use strict';
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const input = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(input.root)));
const results = {};
for (const [name, { bundle, data, identity }] of Object.entries(input.cases)) {
  const content = data === null ? undefined : Buffer.from(data, 'base64');
  try {
    const policy = { subjectAlternativeName: identity };
    verifier.verify(toSignedEntity(bundleFromJSON(bundle), content), policy);
    results[name] = 'ok';
  } catch (error) {
    results[name] = error.code ?? `${error.name}: ${error.message}`;
  }
}
process.stdout.write(JSON.stringify(results));
