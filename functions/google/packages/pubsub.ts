export { PubSub } from '@google-cloud/pubsub';
