//! The log's promises on real Apache Kafka, and on the client's mock of it where errors have to be made to order.

mod conformance;
