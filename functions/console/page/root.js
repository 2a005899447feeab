/** Where the console is: the files of the page lie at its root. */
export const ROOT = new URL('./', import.meta.url);
