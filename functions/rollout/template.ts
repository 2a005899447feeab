/** What a template of the policy may name between double braces. */
export const TEMPLATE_VARIABLES = [
  'service',
  'tag',
  'image',
  'digest',
  'rollout',
  'phase',
  'reason',
  'title',
  'message',
  'target',
  'weights',
  'time',
  'url',
] as const;
export type TemplateVariable = (typeof TEMPLATE_VARIABLES)[number];

/** White space around a name is cut off afterwards: in the pattern it would take cubic time. */
const PLACE = /\{\{([^{}]*)\}\}/g;

/** @returns one sentence, or undefined where nothing is wrong */
export function templateProblem(template: string): string | undefined {
  const names: readonly string[] = TEMPLATE_VARIABLES;
  for (const [, found = ''] of template.matchAll(PLACE)) {
    const name = found.trim();
    if (!names.includes(name)) {
      return `no variable is called "${name}"; there are ${names.join(', ')}`;
    }
  }
  const rest = template.replace(PLACE, '');
  return rest.includes('{{') || rest.includes('}}')
    ? 'expected every {{ to be closed by }}, with the name of a variable in between'
    : undefined;
}

/**
 * One pass: what a value brings along is never taken for a place of the template.
 *
 * @param textOf escaped for where the text goes
 */
export function fillTemplate(template: string, textOf: (name: TemplateVariable) => string): string {
  return template.replace(PLACE, (place, found: string) => {
    const name = TEMPLATE_VARIABLES.find(one => one === found.trim());
    return name === undefined ? place : textOf(name);
  });
}
