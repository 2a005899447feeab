import { expect, test } from 'vitest';
import { prune } from '../../../build/lean-protos.ts';

const PROTOS = {
  nested: {
    google: {
      nested: {
        cloud: {
          nested: {
            compute: {
              nested: {
                v1: {
                  nested: {
                    Disks: { methods: { Get: { requestType: 'GetDiskRequest', responseType: 'Disk' } } },
                    GetDiskRequest: { fields: { disk: { type: 'string', id: 1 } } },
                    Disk: { fields: { labels: { keyType: 'string', type: 'Label', id: 1 } } },
                    Label: { fields: { disk: { type: 'Disk', id: 1 } } },
                    Zones: { methods: { Get: { requestType: 'GetZoneRequest', responseType: 'Zone' } } },
                    GetZoneRequest: { fields: {} },
                    Zone: { fields: {} },
                  },
                },
                v1beta: { nested: { Disks: {} } },
              },
            },
            operationField: { type: 'OperationResponseMapping', id: 1149 },
          },
        },
        protobuf: { nested: { Any: { fields: {} } } },
      },
    },
  },
};

test('a service keeps every message that it can reach, of its version of the API alone', () => {
  const { google } = prune(PROTOS, ['Disks']).nested ?? {};
  const { cloud, protobuf } = google?.nested ?? {};
  const compute = cloud?.nested?.['compute'];
  expect(Object.keys(compute?.nested ?? {})).toEqual(['v1']);
  expect(Object.keys(compute?.nested?.['v1']?.nested ?? {})).toEqual([
    'Disks',
    'GetDiskRequest',
    'Disk',
    'Label',
  ]);
  expect(cloud?.nested?.['operationField']).toEqual({ type: 'OperationResponseMapping', id: 1149 });
  expect(protobuf).toEqual({ nested: { Any: { fields: {} } } });
});

test('a service that is not there is said to be missing', () => {
  expect(() => prune(PROTOS, ['Routes'])).toThrow('have no service Routes; has the package changed?');
  expect(() => prune({ nested: {} }, ['Disks'])).toThrow('have no google; has the package changed?');
});
