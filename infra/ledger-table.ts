import type { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, type ITable, Table, TableEncryption } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import { EXPIRY_ATTRIBUTE, TABLE_KEYS } from "../shared/aws/table.ts";

export interface LedgerTableProps {
  /** `undefined`: a key that DynamoDB owns. */
  readonly encryptionKey: IKey | undefined;
  readonly deletionProtection: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/** The table of the ledger. DynamoDB encrypts every table. */
export function ledgerTable(scope: Construct, id: string, props: LedgerTableProps): ITable {
  const { partition, sort } = TABLE_KEYS;
  const table = new Table(scope, id, {
    partitionKey: { name: partition, type: AttributeType.STRING },
    sortKey: { name: sort, type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    timeToLiveAttribute: EXPIRY_ATTRIBUTE,
    // A table with another key keeps its rows. CloudFormation does not replace it.
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    ...(props.encryptionKey !== undefined && {
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: props.encryptionKey,
    }),
    deletionProtection: props.deletionProtection,
    removalPolicy: props.removalPolicy,
  });
  // The types of the CDK are not exact about optional properties.
  return table as ITable;
}
