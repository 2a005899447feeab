import type { Clock } from '../clock.ts';
import { applyFieldMask } from '../field-mask.ts';
import { ApiError } from '../http.ts';
import { check } from '../proto-json.ts';
import { parseOccurrenceFilter } from './filter.ts';
import { KINDS, type Kind, type Note, noteSchema, type Occurrence, occurrenceSchema } from './resources.ts';

/** Notes and the occurrences that hang on them: what Grafeas calls metadata about images. */
export class ContainerAnalysis {
  readonly #clock: Clock;
  readonly #notes = new Map<string, Note>();
  readonly #occurrences = new Map<string, Occurrence>();
  #made = 0;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  /** @param project `projects/P` */
  createNote(project: string, id: string, value: object): Note {
    const name = `${checkProject(project)}/notes/${id}`;
    if (id === '') throw new ApiError('INVALID_ARGUMENT', 'noteId: expected the id of the note');
    if (this.#notes.has(name)) throw new ApiError('ALREADY_EXISTS', `note ${name} already exists`);
    const fields = check(value, noteSchema);
    const note = { ...fields, name, kind: kindOf(fields), ...this.#times() };
    this.#notes.set(name, note);
    return note;
  }

  getNote(name: string): Note {
    const note = this.#notes.get(name);
    if (!note) throw new ApiError('NOT_FOUND', `note with name "${name}" not found`);
    return note;
  }

  hasNote(name: string): boolean {
    return this.#notes.has(name);
  }

  listNotes(project: string): Note[] {
    return [...this.#notes.values()].filter(({ name }) => name.startsWith(`${project}/notes/`));
  }

  /** Occurrences of one note, in whichever projects they are. */
  listNoteOccurrences(note: string, filter: string): Occurrence[] {
    const { name } = this.getNote(note);
    const matches = parseOccurrenceFilter(filter);
    return [...this.#occurrences.values()].filter(one => one.noteName === name && matches(one));
  }

  /** @param project `projects/P`, where the occurrence is kept; its note may be in another */
  createOccurrence(project: string, value: object): Occurrence {
    const fields = check(value, occurrenceSchema);
    const kind = kindOf(fields);
    const note = this.getNote(fields.noteName);
    if (note.kind !== kind) {
      throw new ApiError('INVALID_ARGUMENT', `${note.name} is a note of kind ${note.kind}, not ${kind}`);
    }
    const id = `00000000-0000-4000-8000-${String(++this.#made).padStart(12, '0')}`;
    const name = `${checkProject(project)}/occurrences/${id}`;
    const occurrence = { ...fields, name, kind, ...this.#times() };
    this.#occurrences.set(name, occurrence);
    return occurrence;
  }

  getOccurrence(name: string): Occurrence {
    const occurrence = this.#occurrences.get(name);
    if (!occurrence) throw new ApiError('NOT_FOUND', `occurrence with name "${name}" not found`);
    return occurrence;
  }

  listOccurrences(project: string, filter: string): Occurrence[] {
    const matches = parseOccurrenceFilter(filter);
    return [...this.#occurrences.values()].filter(
      one => one.name.startsWith(`${project}/occurrences/`) && matches(one),
    );
  }

  updateOccurrence(name: string, value: object, mask: string): Occurrence {
    const known = this.getOccurrence(name);
    const merged = mask === '' ? { ...known, ...value } : applyFieldMask(known, { ...value }, mask);
    const { resourceUri, noteName } = known;
    const fields = check({ ...merged, resourceUri, noteName }, occurrenceSchema);
    const { createTime, kind } = known;
    if (kindOf(fields) !== kind) {
      throw new ApiError('INVALID_ARGUMENT', `${name} is an occurrence of kind ${kind}`);
    }
    const updated = { ...fields, name, kind, createTime, updateTime: this.#times().updateTime };
    this.#occurrences.set(name, updated);
    return updated;
  }

  deleteOccurrence(name: string): void {
    this.#occurrences.delete(this.getOccurrence(name).name);
  }

  #times(): { createTime: string; updateTime: string } {
    const now = new Date(this.#clock.nowMs()).toISOString();
    return { createTime: now, updateTime: now };
  }
}

/** The kind is which of the details is there. */
function kindOf(fields: Readonly<Record<string, unknown>>): Kind {
  const names = Object.keys(KINDS) as Kind[];
  const [kind, ...others] = names.filter(name => fields[name.toLowerCase()] !== undefined);
  if (kind && others.length === 0) return kind;
  throw new ApiError(
    'INVALID_ARGUMENT',
    'expected exactly one of vulnerability, discovery and attestation: the kinds that are kept here',
  );
}

function checkProject(name: string): string {
  if (/^projects\/[^/]+$/.test(name)) return name;
  throw new ApiError('INVALID_ARGUMENT', `parent: expected projects/P, found "${name}"`);
}
