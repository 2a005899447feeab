export { Firestore } from '@google-cloud/firestore';
