import type { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, Table } from "aws-cdk-lib/aws-dynamodb";
import type { Construct } from "constructs";
import { EXPIRY_ATTRIBUTE, TABLE_KEYS } from "../shared/aws/table.ts";

export interface LedgerTableProps {
  readonly deletionProtection: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/** The table of the ledger. DynamoDB encrypts every table. */
export function ledgerTable(scope: Construct, id: string, props: LedgerTableProps): Table {
  const { partition, sort } = TABLE_KEYS;
  return new Table(scope, id, {
    partitionKey: { name: partition, type: AttributeType.STRING },
    sortKey: { name: sort, type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    timeToLiveAttribute: EXPIRY_ATTRIBUTE,
    deletionProtection: props.deletionProtection,
    removalPolicy: props.removalPolicy,
  });
}
