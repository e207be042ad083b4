//! The log's promises on real Apache Kafka, and on the client's mock of it where errors have to be made to order.
#![expect(clippy::unwrap_used, reason = "tests: what fails to answer fails the test, in its helpers too")]

mod conformance;
