import { expect, test } from 'vitest';
import { advised } from '../../../cli/google-access.ts';
import { type ErrorCode, SlipwayError } from '../../../functions/errors.ts';

function adviceOn(code: ErrorCode, message: string, what = 'firestore'): string {
  const error = new SlipwayError(message, { code, operation: 'read' });
  const said = advised(error, { project: 'acme', role: 'roles/datastore.viewer', what });
  return said instanceof SlipwayError ? said.message : String(said);
}

test.each<[string, ErrorCode, string, RegExp]>([
  [
    'no credentials',
    'Internal',
    'Could not load the default credentials.',
    /gcloud auth application-default login/,
  ],
  [
    'credentials that ran out',
    'Unavailable',
    'invalid_grant: reauth related error',
    /application-default login/,
  ],
  ['a token that nobody takes', 'Unauthenticated', 'no', /application-default login/],
  [
    'no permission',
    'PermissionDenied',
    'no',
    /roles\/datastore\.viewer on project acme: gcloud projects add-iam-policy-binding acme /,
  ],
  [
    'no such database',
    'NotFound',
    'no',
    /acme has no such Firestore database.*SLIPWAY_STORE=firestore:DATABASE/,
  ],
  ['no way to Google', 'DeadlineExceeded', 'no answer', /proxy, VPN/],
])('%s: the error says what to do', (_what, code, message, advice) => {
  expect(adviceOn(code, message)).toMatch(new RegExp(`^${message}\\n`));
  expect(adviceOn(code, message)).toMatch(advice);
});

test('a topic that is not there is named', () => {
  expect(adviceOn('NotFound', 'no', 'team-commands')).toContain('acme has no topic team-commands');
});

test('what nothing is known about stays as it is', () => {
  expect(adviceOn('InvalidArgument', 'odd')).toBe('odd');
  expect(advised('text', { project: '', role: '', what: '' })).toBe('text');
});
