import { registerHooks } from 'node:module';

/** Clients so large that a function may load only those it calls. */
export const HEAVY_PACKAGES = [
  '@google-cloud/run',
  '@google-cloud/compute',
  '@google-cloud/container',
  '@google-cloud/monitoring',
  '@google-cloud/workflows',
  '@google-cloud/pubsub',
  '@google-cloud/firestore',
  '@kubernetes/client-node',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/sdk-trace-base',
] as const;

/** Watches what is loaded from here on, by `import` and by `require`. @returns names of the heavy packages so far */
export function watchPackages(): () => readonly string[] {
  const loaded = new Set<string>();
  registerHooks({
    load(url, context, nextLoad) {
      const name = packageOf(url);
      if (name) loaded.add(name);
      return nextLoad(url, context);
    },
  });
  return () => HEAVY_PACKAGES.filter(name => loaded.has(name));
}

/** The innermost package of a file's URL: `@scope/name` or `name`. */
function packageOf(url: string): string | undefined {
  const inside = url.split('/node_modules/').at(-1);
  if (inside === undefined || inside === url) return undefined;
  const [scope = '', name] = inside.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
