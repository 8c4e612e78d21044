import { addTypenameToDocument } from '@apollo/client/utilities';
import { print } from 'graphql';
import type { DocumentNode } from 'graphql';

/** A document as it is sent, by Apollo and by this package alike: what a server's list of documents has to hold. */
export const documentText = (document: DocumentNode): string => print(addTypenameToDocument(document));
