import { z } from 'zod';
import { ApiError, googleApi, type HttpHandler, type HttpReply, type HttpRequest } from '../http.ts';
import { pageOf } from '../paging.ts';
import { readBody } from '../proto-json.ts';
import type { PulledMessage } from './backlog.ts';
import type { PubSubCore } from './core.ts';
import { messageToPublish, type Subscription, topicSchema } from './resources.ts';

const PAGE_SIZE = 1000;
/** Well below the 60 s after which the client gives up on a pull. */
const PULL_WAIT_MS = 5_000;

const publishSchema = z.object({ messages: z.array(messageToPublish).min(1).max(1000) });
const pullSchema = z.object({ maxMessages: z.number().int(), returnImmediately: z.boolean().default(false) });
const acknowledgeSchema = z.object({ ackIds: z.array(z.string()).min(1) });
const modifySchema = acknowledgeSchema.extend({ ackDeadlineSeconds: z.number().int().default(0) });
const modifyPushSchema = z.object({ pushConfig: z.looseObject({}).default({}) });
const topicPatchSchema = z.object({ topic: topicSchema, updateMask: z.string() });
const subscriptionPatchSchema = z.object({ subscription: z.looseObject({}), updateMask: z.string() });

/** The Pub/Sub v1 REST API, https://cloud.google.com/pubsub/docs/reference/rest. */
export function pubsubApi(core: PubSubCore): HttpHandler {
  return googleApi(async request => {
    const path = decodeURIComponent(request.path);
    const [, project, collection, id, verb] =
      /^\/v1\/projects\/([^/]+)\/(topics|subscriptions)(?:\/([^/:]+)(?:[:/](\w+))?)?$/.exec(path) ?? [];
    if (project === undefined || collection === undefined) throw unknownMethod(request);
    if (id === undefined) return list(core, request, project, collection);
    const name = `projects/${project}/${collection}/${id}`;
    return collection === 'topics'
      ? topic(core, request, name, verb)
      : subscription(core, request, name, verb);
  });
}

function list(core: PubSubCore, request: HttpRequest, project: string, collection: string): HttpReply {
  if (request.method !== 'GET') throw unknownMethod(request);
  if (collection === 'topics') {
    const { items, nextPageToken } = pageOf(core.listTopics(project), request.query, PAGE_SIZE);
    return ok({ topics: items, nextPageToken });
  }
  const { items, nextPageToken } = pageOf(core.listSubscriptions(project), request.query, PAGE_SIZE);
  return ok({ subscriptions: items.map(toJson), nextPageToken });
}

function topic(core: PubSubCore, request: HttpRequest, name: string, verb: string | undefined): HttpReply {
  switch (`${request.method} ${verb ?? ''}`) {
    case 'PUT ':
      return ok(core.createTopic(name, readBody(request, topicSchema).labels));
    case 'GET ':
      return ok(core.getTopic(name));
    case 'PATCH ': {
      const { topic, updateMask } = readBody(request, topicPatchSchema);
      if (updateMask !== 'labels')
        throw new ApiError('INVALID_ARGUMENT', `Cannot update ${updateMask} of a topic.`);
      return ok(core.updateTopic(name, topic.labels));
    }
    case 'DELETE ':
      core.deleteTopic(name);
      return ok({});
    case 'POST publish':
      return ok({ messageIds: core.publish(name, readBody(request, publishSchema).messages) });
    case 'GET subscriptions': {
      const { items, nextPageToken } = pageOf(core.subscriptionsOf(name), request.query, PAGE_SIZE);
      return ok({ subscriptions: items.map(item => item.name), nextPageToken });
    }
    default:
      throw unknownMethod(request);
  }
}

async function subscription(
  core: PubSubCore,
  request: HttpRequest,
  name: string,
  verb: string | undefined,
): Promise<HttpReply> {
  switch (`${request.method} ${verb ?? ''}`) {
    case 'PUT ':
      return ok(toJson(core.createSubscription(name, readBody(request, z.looseObject({})))));
    case 'GET ':
      return ok(toJson(core.getSubscription(name)));
    case 'PATCH ': {
      const { subscription, updateMask } = readBody(request, subscriptionPatchSchema);
      return ok(toJson(core.updateSubscription(name, subscription, updateMask)));
    }
    case 'DELETE ':
      core.deleteSubscription(name);
      return ok({});
    case 'POST modifyPushConfig':
      core.updateSubscription(name, readBody(request, modifyPushSchema), 'pushConfig');
      return ok({});
    case 'POST pull': {
      const { maxMessages, returnImmediately } = readBody(request, pullSchema);
      const pulled = await core.pull(name, maxMessages, returnImmediately ? 0 : PULL_WAIT_MS);
      return ok({ receivedMessages: pulled.map(receivedMessage) });
    }
    case 'POST acknowledge':
      core.acknowledge(name, readBody(request, acknowledgeSchema).ackIds);
      return ok({});
    case 'POST modifyAckDeadline': {
      const { ackIds, ackDeadlineSeconds } = readBody(request, modifySchema);
      core.modifyAckDeadline(name, ackIds, ackDeadlineSeconds);
      return ok({});
    }
    default:
      throw unknownMethod(request);
  }
}

function toJson(subscription: Subscription): object {
  return { ...subscription, state: 'ACTIVE' };
}

function receivedMessage({ ackId, message, deliveryAttempt }: PulledMessage): object {
  const { publishedMs, ...rest } = message;
  return { ackId, message: { ...rest, publishTime: new Date(publishedMs).toISOString() }, deliveryAttempt };
}

function ok(body: object): HttpReply {
  return { status: 200, body };
}

function unknownMethod({ method, path }: HttpRequest): ApiError {
  return new ApiError('UNIMPLEMENTED', `The local Pub/Sub has no method ${method} ${path}.`);
}
