import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

/**
 * Three say what Slipway may do: the calls that the code makes, the grants in terraform/modules/orchestrator, and the
 * table in docs/security.md. The first is read from the source, and the other two have to be what follows from it.
 */

const ROOT = resolve(import.meta.dirname, '../..');

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

interface Need {
  /** Of functions.tf.json: who has one of them makes the call. */
  readonly grants: readonly string[];
  readonly permissions: readonly string[];
}

/** Stands for all grants. */
const EVERYBODY = 'everybody';

/** Call → what Google asks for, https://cloud.google.com/iam/docs/permissions-reference. */
const NEEDS: Readonly<Record<string, Need>> = {
  'ExecutionsClient.createExecution': {
    grants: ['executions'],
    permissions: ['workflows.executions.create'],
  },
  'ExecutionsClient.getExecution': { grants: ['executions'], permissions: ['workflows.executions.get'] },
  'fetch in google/executions.ts': { grants: ['executions'], permissions: ['workflows.callbacks.send'] },
  'PubSub.publishMessage': { grants: ['events', 'commands'], permissions: ['pubsub.topics.publish'] },
  'Firestore.get': {
    grants: ['records', 'records_read'],
    permissions: ['datastore.entities.get', 'datastore.entities.list'],
  },
  'Firestore.getAll': { grants: ['records', 'records_read'], permissions: ['datastore.entities.get'] },
  'Firestore.runTransaction': { grants: ['records'], permissions: ['datastore.databases.get'] },
  'Firestore.set': {
    grants: ['records'],
    permissions: ['datastore.entities.create', 'datastore.entities.update'],
  },
  'MetricServiceClient.listTimeSeries': { grants: ['metrics'], permissions: ['monitoring.timeSeries.list'] },
  'fetch in metrics/prometheus.ts': { grants: ['metrics'], permissions: ['monitoring.timeSeries.list'] },
  'fetch in image/registry.ts': {
    grants: ['images'],
    permissions: ['artifactregistry.repositories.downloadArtifacts'],
  },
  'GrafeasClient.listOccurrencesAsync': {
    grants: ['images'],
    permissions: ['containeranalysis.occurrences.list'],
  },
  'GrafeasClient.listNoteOccurrencesAsync': {
    grants: ['images'],
    permissions: ['containeranalysis.notes.listOccurrences'],
  },
  'fetch in google/binary-authorization.ts': {
    grants: ['images'],
    permissions: ['binaryauthorization.attestors.get', 'binaryauthorization.attestors.verifyImageAttested'],
  },
  'ServicesClient.getService': { grants: ['targets'], permissions: ['run.services.get'] },
  'ServicesClient.createService': {
    grants: ['targets'],
    permissions: ['run.services.create', 'iam.serviceAccounts.actAs'],
  },
  'ServicesClient.updateService': {
    grants: ['targets'],
    permissions: [
      'run.services.update',
      'iam.serviceAccounts.actAs',
      'artifactregistry.repositories.downloadArtifacts',
    ],
  },
  'RevisionsClient.getRevision': { grants: ['targets'], permissions: ['run.revisions.get'] },
  'fetch in targets/cloud-run-probe.ts': { grants: ['targets'], permissions: ['run.routes.invoke'] },
  'ClusterManagerClient.getCluster': { grants: ['targets'], permissions: ['container.clusters.get'] },
  'Kubernetes in targets/gke-cluster.ts': {
    grants: ['targets'],
    permissions: ['container.clusters.connect'],
  },
  'MachineTypesClient.get': { grants: ['targets'], permissions: ['compute.machineTypes.get'] },
  'BackendServicesClient.get': { grants: ['load_balancers'], permissions: ['compute.backendServices.get'] },
  'BackendServicesClient.patch': {
    grants: ['load_balancers'],
    permissions: ['compute.backendServices.update', 'compute.regionNetworkEndpointGroups.use'],
  },
  'RegionNetworkEndpointGroupsClient.list': {
    grants: ['load_balancers'],
    permissions: ['compute.regionNetworkEndpointGroups.list'],
  },
  'GlobalOperationsClient.get': { grants: ['load_balancers'], permissions: ['compute.globalOperations.get'] },
  'GlobalOperationsClient.list': {
    grants: ['load_balancers'],
    permissions: ['compute.globalOperations.list'],
  },
  'OTLPTraceExporter in telemetry/otlp.ts': {
    grants: [EVERYBODY],
    permissions: ['serviceusage.services.use', 'telemetry.traces.write'],
  },
  'readSecret in dependencies.ts': { grants: ['secrets'], permissions: ['secretmanager.versions.access'] },
  'policyReader in dependencies.ts': { grants: [EVERYBODY], permissions: ['secretmanager.versions.access'] },
};

/** Calls that reach nothing of Google Cloud's that asks for a permission. */
const FREE: Readonly<Record<string, string>> = {
  'fetch in notify/post.ts': 'what people have configured: Slack, Google Chat, webhooks',
  'OAuth2Client.getIapPublicKeysAsync': 'public keys',
  'OAuth2Client.getFederatedSignonCertsAsync': 'public keys',
  'OAuth2Client.verifySignedJwtWithCertsAsync': 'reckons',
};

/** Getter of GoogleClients → the class of what it gives. */
const CLASSES = new Map(
  [
    ...read('functions/google/clients.ts').matchAll(/^ {2}(\w+)\([^)]*\): Promise<(\w+(?:Client|PubSub))>/gm),
  ].map(([, getter = '', name = '']) => [getter, name]),
);

/** Where Firestore reads and writes; everything else of its API only describes. */
const FIRESTORE_IO =
  /(\w+|\))\s*\.(get|getAll|set|create|update|delete|add|commit|runTransaction|count|stream|onSnapshot|listDocuments|listCollections|recursiveDelete|bulkWriter)\(/g;

describe('the calls that the code makes', () => {
  test('are found', () => {
    expect(CLASSES.get('services')).toBe('ServicesClient');
    expect(callsIn('x.ts', 'const c = await context.services();\nc.deleteService({});')).toEqual([
      'ServicesClient.deleteService',
    ]);
    expect(callsIn('x.ts', 'function f(client: ExecutionsClient) { client.listExecutions() }')).toEqual([
      'ExecutionsClient.listExecutions',
    ]);
    expect(callsIn('x.ts', "import { Firestore } from '@google-cloud/firestore';\ndoc(1).delete();")).toEqual(
      ['Firestore.delete'],
    );
    expect(callsIn('new.ts', 'await fetch(url)')).toEqual(['fetch in new.ts']);
  });

  test('all have their permissions here, and no others have', () => {
    const made = sources().flatMap(file => callsIn(file, read(`functions/${file}`)));
    expect([...new Set(made)].filter(call => !(call in FREE)).sort()).toEqual(Object.keys(NEEDS).sort());
  });
});

function sources(): string[] {
  return readdirSync(join(ROOT, 'functions'), { recursive: true, encoding: 'utf8' })
    .filter(
      file => file.endsWith('.ts') && !/^(?:google\/clients|google\/packages\/|console\/page\/)/.test(file),
    )
    .sort();
}

/** What a file asks of Google's clients, of fetch and of the Kubernetes API. */
function callsIn(file: string, text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const calls = [...clientCalls(code)];
  if (/(?<![.\w])fetch\(|\?\? fetch\b/.test(code)) calls.push(`fetch in ${file}`);
  if (/new IsomorphicFetchHttpLibrary\(/.test(code)) calls.push(`Kubernetes in ${file}`);
  if (/new OTLPTraceExporter\(/.test(code)) calls.push(`OTLPTraceExporter in ${file}`);
  for (const [, reader] of code.matchAll(/function (readSecret|policyReader)\(/g)) {
    calls.push(`${reader} in ${file}`);
  }
  if (/from '@google-cloud\/firestore'/.test(code)) calls.push(...firestoreCalls(code));
  return calls;
}

/** Of variables that are clients, by their type or by what they were got with. */
function* clientCalls(code: string): Generator<string> {
  const bindings =
    /(?:const (?<got>\w+) = await (?:\w+\.)*(?<getter>\w+)\()|(?<typed>\w+): (?:v\d\.)?(?<type>\w+Client|PubSub)\b/g;
  const clients = new Map<string, { name: string; from: number }[]>();
  for (const { groups = {}, index } of code.matchAll(bindings)) {
    const { got, getter = '', typed, type } = groups;
    const variable = got ?? typed ?? '';
    const name = type ?? CLASSES.get(getter);
    if (name) clients.set(variable, [...(clients.get(variable) ?? []), { name, from: index }]);
  }
  for (const [variable, bound] of clients) {
    // Past a topic to what is done with it.
    const call = new RegExp(`\\b${variable}(?:\\s*\\.topic\\([^()]*\\))?\\s*\\.(\\w+)\\(`, 'g');
    for (const { 1: method, index } of code.matchAll(call)) {
      const name = bound.findLast(({ from }) => from < index)?.name;
      if (name && method !== 'topic') yield `${name}.${method}`;
    }
  }
}

function firestoreCalls(code: string): string[] {
  const own = new Set([...code.matchAll(/(\w+) = new (?:Map|Set)\b/g)].map(([, name]) => name));
  return [...code.matchAll(FIRESTORE_IO)]
    .filter(([, receiver]) => !own.has(receiver))
    .map(([, , method]) => `Firestore.${method}`);
}

const orchestrator = z
  .object({
    locals: z.object({
      functions: z.record(z.string(), z.object({ grants: z.array(z.string()) })),
      permissions: z.record(z.string(), z.array(z.string())),
    }),
  })
  .parse(JSON.parse(read('terraform/modules/orchestrator/functions.tf.json'))).locals;

const IAM = read('terraform/modules/orchestrator/iam.tf');

/** Of Google's own roles: what Slipway has them for. */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  'roles/artifactregistry.reader': ['artifactregistry.repositories.downloadArtifacts'],
  'roles/binaryauthorization.attestorsVerifier': [
    'binaryauthorization.attestors.get',
    'binaryauthorization.attestors.verifyImageAttested',
  ],
  'roles/containeranalysis.notes.occurrences.viewer': ['containeranalysis.notes.listOccurrences'],
  'roles/containeranalysis.occurrences.viewer': ['containeranalysis.occurrences.list'],
  'roles/iam.serviceAccountUser': ['iam.serviceAccounts.actAs'],
  'roles/pubsub.publisher': ['pubsub.topics.publish'],
  'roles/serviceusage.serviceUsageConsumer': ['serviceusage.services.use'],
  'roles/telemetry.tracesWriter': ['telemetry.traces.write'],
  'roles/secretmanager.secretAccessor': ['secretmanager.versions.access'],
};

describe('the grants', () => {
  test('are what the calls need, and no more', () => {
    const needed = new Set(Object.values(NEEDS).flatMap(({ permissions }) => permissions));
    const roles = [...IAM.matchAll(/"(roles\/[\w.]+)"/g)].map(([, role = '']) => role);
    const toFunctions = roles.filter(
      role => !['roles/run.invoker', 'roles/logging.logWriter'].includes(role),
    );
    const granted = new Set([
      ...Object.values(orchestrator.permissions).flat(),
      ...[...IAM.matchAll(/permissions = \["([\w.]+)"\]/g)].map(([, permission = '']) => permission),
      ...toFunctions.flatMap(role => ROLES[role] ?? [`of ${role}, which this test does not know`]),
    ]);
    expect([...granted].sort()).toEqual([...needed].sort());
    expect(Object.keys(ROLES).filter(role => !toFunctions.includes(role))).toEqual([]);
  });

  test('hold no role that is wider than a resource or a list of calls', () => {
    const everywhere = ['orchestrator', 'platform', 'console', 'slo', 'cloud-run', 'gke'].flatMap(module =>
      readdirSync(join(ROOT, 'terraform/modules', module)).map(file => `terraform/modules/${module}/${file}`),
    );
    for (const file of everywhere) {
      expect(read(file), file).not.toMatch(/roles\/(?:owner|editor|viewer|\w+\.admin)"|service_account_key/);
    }
  });
});

describe('docs/security.md', () => {
  const rows = [...read('docs/security.md').matchAll(/^\| `([a-zA-Z.]+)` \| (.*?) \| (.*?) \| (.*?) \|$/gm)];

  test('has each permission of the functions, the calls that need it, and who makes them', () => {
    const written = rows.map(([, permission, calls, , accounts]) => ({
      permission,
      calls: quoted(calls),
      accounts: quoted(accounts),
    }));
    expect(written.filter(({ permission }) => ofFunctions().has(permission ?? ''))).toEqual([
      ...ofFunctions().values(),
    ]);
  });

  test('has what no call shows', () => {
    for (const permission of [
      'iam.serviceAccounts.actAs',
      'artifactregistry.repositories.downloadArtifacts',
      'compute.regionNetworkEndpointGroups.use',
      'container.clusters.connect',
      'workflows.callbacks.send',
      'run.routes.invoke',
      'secretmanager.versions.access',
      'iap.webServiceVersions.accessViaIAP',
      'iam.serviceAccounts.getOpenIdToken',
    ]) {
      expect(read('docs/security.md')).toContain(`\`${permission}\``);
    }
  });
});

function quoted(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text).sort();
}

/** In the order of the alphabet. */
function ofFunctions() {
  const all = new Map<string, { permission: string; calls: string[]; accounts: string[] }>();
  const permissions = [...new Set(Object.values(NEEDS).flatMap(need => need.permissions))].sort();
  for (const permission of permissions) {
    const needs = Object.entries(NEEDS).filter(([, need]) => need.permissions.includes(permission));
    const grants = new Set(needs.flatMap(([, need]) => need.grants));
    const accounts = Object.entries(orchestrator.functions)
      .filter(([, function_]) => grants.has(EVERYBODY) || function_.grants.some(grant => grants.has(grant)))
      .map(([name]) => name);
    all.set(permission, { permission, calls: needs.map(([call]) => call).sort(), accounts: accounts.sort() });
  }
  return all;
}
