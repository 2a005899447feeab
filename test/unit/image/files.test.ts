import { describe, expect, it } from 'vitest';
import { type FileNode, ImageFiles, LayerFiles } from '../../../functions/image/files.ts';

const DIRECTORY: FileNode = { kind: 'directory' };

/** A file that can be told apart. */
function file(name: string): FileNode {
  return {
    kind: 'file',
    executable: true,
    content: { is: 'script', interpreter: name, argument: undefined },
  };
}

function link(target: string): FileNode {
  return { kind: 'link', target };
}

type Layer = readonly (readonly [path: string, node: FileNode])[];

/** From layers with the bottom first. */
function imageOf(layers: readonly Layer[]): ImageFiles {
  const image = new ImageFiles();
  for (const [index, entries] of [...layers.entries()].reverse()) {
    const layer = new LayerFiles(`layer ${index}`);
    for (const [path, node] of entries) layer.add(path, node);
    image.addBelow(layer);
  }
  image.complete = true;
  return image;
}

function at(image: ImageFiles, path: string): FileNode | string {
  const found = image.resolve(path);
  return found.status === 'found' ? found.node : found.status;
}

describe('what a layer has in directories that it does not list', () => {
  it('goes through as many links as there are, in one pass', () => {
    const numbers = Array.from({ length: 20_000 }, (_, index) => index);
    const image = imageOf([
      numbers.map(index => [`from${index}`, link(`to${index}`)] as const),
      numbers.map(index => [`from${index}/app`, file(`${index}`)] as const),
    ]);
    expect(at(image, '/to19999/app')).toEqual(file('19999'));
    expect(at(image, '/from7/app')).toEqual(file('7'));
  });

  it('goes through a chain of links', () => {
    const chain = Array.from({ length: 20 }, (_, index) => [`l${index}`, link(`l${index + 1}`)] as const);
    expect(at(imageOf([chain, [['l0/app', file('a')]]]), '/l20/app')).toEqual(file('a'));
  });

  it('is nowhere when links lead in circles', () => {
    const circle = [['a', link('b')] as const, ['b', link('a')] as const];
    expect(at(imageOf([circle, [['a/app', file('a')]]]), '/a/app')).toBe('loop');
  });

  it('replaces what the layer wrote to the same place before, and not what it wrote after', () => {
    const below: Layer = [
      ['usr/bin', DIRECTORY],
      ['bin', link('usr/bin')],
    ];
    const one = ['bin/app', file('one')] as const;
    const other = ['usr/bin/app', file('other')] as const;
    expect(at(imageOf([below, [one, other]]), '/bin/app')).toEqual(file('other'));
    expect(at(imageOf([below, [other, one]]), '/bin/app')).toEqual(file('one'));
    expect(at(imageOf([below, [one, other, one]]), '/usr/bin/app')).toEqual(file('one'));
  });
});

describe('a hard link into a layer below', () => {
  const linked: FileNode = { kind: 'hardlink', target: 'base' };

  it('stays the file that was there, whatever layers above make of it', () => {
    const layers: Layer[] = [[['base', file('old')]], [['app', linked]], [['base', file('new')]]];
    expect(at(imageOf(layers), '/app')).toEqual(file('old'));
    expect(at(imageOf(layers), '/base')).toEqual(file('new'));
  });

  it('stays the file that was there when its own layer replaces it later', () => {
    const layer: Layer = [
      ['app', linked],
      ['base', file('new')],
    ];
    expect(at(imageOf([[['base', file('old')]], layer]), '/app')).toEqual(file('old'));
  });

  it('may lead to another one, through links to directories, and to a link', () => {
    const bottom: Layer = [
      ['usr/bin/sh', file('sh')],
      ['bin', link('usr/bin')],
      ['usr/bin/ash', link('sh')],
    ];
    const layers: Layer[] = [
      bottom,
      [['usr/bin/one', { kind: 'hardlink', target: 'bin/sh' }]],
      [['two', { kind: 'hardlink', target: 'bin/one' }]],
      [['usr/bin/three', { kind: 'hardlink', target: 'usr/bin/ash' }]],
    ];
    expect(at(imageOf(layers), '/two')).toEqual(file('sh'));
    expect(at(imageOf(layers), '/bin/three')).toEqual(file('sh'));
  });

  it('is absent when there was nothing, and unknown until the layers below were read', () => {
    const layer = new LayerFiles('top');
    layer.add('app', layer.linked('base'));
    const image = new ImageFiles();
    image.addBelow(layer);
    expect(image.resolve('/app').status).toBe('unknown');
    image.complete = true;
    expect(image.resolve('/app').status).toBe('absent');
  });

  it('is not guessed where its layer has the file under another name', () => {
    const bottom: Layer = [
      ['usr/bin/sh', file('old')],
      ['bin', link('usr/bin')],
    ];
    const layer: Layer = [
      ['app', { kind: 'hardlink', target: 'bin/sh' }],
      ['usr/bin/sh', file('new')],
    ];
    expect(at(imageOf([bottom, layer]), '/app')).toBe('absent');
  });
});
