import { Document, type Scalar, visit } from 'yaml';
import { escaped } from './output.ts';

/** A value as a YAML document that may end on a terminal. */
export function yaml(value: unknown): string {
  const document = new Document(value ?? null, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node: Scalar) {
      // Only what is quoted can be escaped.
      if (typeof node.value === 'string' && escaped(node.value) !== node.value) node.type = 'QUOTE_DOUBLE';
    },
  });
  return escaped(document.toString({ lineWidth: 0 }));
}
