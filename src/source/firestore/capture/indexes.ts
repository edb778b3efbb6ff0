import type { openFirestoreAdmin } from '../connection.ts';

type Admin = ReturnType<typeof openFirestoreAdmin>;

/** `firestore.indexes.json` as Firebase's tools write it. */
export interface IndexConfiguration {
  indexes: ({ collectionGroup: string; queryScope: string; fields: IndexField[] } & Record<string, unknown>)[];
  fieldOverrides: {
    collectionGroup: string;
    fieldPath: string;
    ttl: boolean;
    indexes: ({ queryScope: string } & Omit<IndexField, 'fieldPath'>)[];
  }[];
}

interface IndexField {
  fieldPath: string;
  order?: string;
  arrayConfig?: string;
  vectorConfig?: unknown;
}

/** Only fields that are indexed in another way than all are; Firestore lists no others, and asks for this very filter. */
const OVERRIDDEN = 'indexConfig.usesAncestorConfig=false OR ttlConfig:*';
const ALL_FIELDS = '*';

/** Composite indexes, and what single fields are exempt from, sorted. @throws what the client throws */
export async function readIndexes({ client, callOptions }: Admin, database: string): Promise<IndexConfiguration> {
  const parent = `${database}/collectionGroups/-`;
  const [indexes] = await client.listIndexes({ parent }, callOptions);
  const [fields] = await client.listFields({ parent, filter: OVERRIDDEN }, callOptions);
  return {
    indexes: indexes
      .map(({ name, queryScope, fields: indexed, apiScope, density, multikey, unique }) => ({
        collectionGroup: collectionGroupOf(name),
        queryScope: `${queryScope}`,
        fields: (indexed ?? []).map(indexField),
        ...(isSet(apiScope, 'ANY_API') && { apiScope }),
        ...(isSet(density, 'DENSITY_UNSPECIFIED') && { density }),
        ...(multikey && { multikey }),
        ...(unique && { unique }),
      }))
      .sort(byJson),
    fieldOverrides: fields
      .filter(({ name }) => !name?.endsWith(`/fields/${ALL_FIELDS}`))
      .map(({ name, indexConfig, ttlConfig }) => ({
        collectionGroup: collectionGroupOf(name),
        fieldPath: `${name}`.slice(`${name}`.indexOf('/fields/') + '/fields/'.length),
        ttl: ttlConfig !== null && ttlConfig !== undefined,
        indexes: (indexConfig?.indexes ?? []).map(({ queryScope, fields: exempt }) => {
          const { fieldPath: _, ...how } = indexField(exempt?.[0] ?? {});
          return { queryScope: `${queryScope}`, ...how };
        }),
      }))
      .sort(byJson),
  };
}

function indexField(field: {
  fieldPath?: unknown;
  order?: unknown;
  arrayConfig?: unknown;
  vectorConfig?: unknown;
}): IndexField {
  return {
    fieldPath: `${field.fieldPath}`,
    ...(isSet(field.order, 'ORDER_UNSPECIFIED') && { order: `${field.order}` }),
    ...(isSet(field.arrayConfig, 'ARRAY_CONFIG_UNSPECIFIED') && { arrayConfig: `${field.arrayConfig}` }),
    ...(field.vectorConfig ? { vectorConfig: field.vectorConfig } : {}),
  };
}

/** Not what the client has for a value that was not sent. */
function isSet(value: unknown, unset: string): boolean {
  return value !== null && value !== undefined && value !== '' && value !== unset;
}

function collectionGroupOf(name: string | null | undefined): string {
  return /\/collectionGroups\/([^/]+)\//.exec(name ?? '')?.[1] ?? '';
}

function byJson(left: unknown, right: unknown): number {
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}
