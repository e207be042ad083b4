//! What an error code means for whoever asked: try again, the group went on, or stop and say what to do.

use rdkafka::types::RDKafkaErrorCode as Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes: the network, a broker on its way up or down, a leader or coordinator that moves.
    Passing,
    /// The group went on without this member.
    OwnershipLost,
    /// It stays until somebody acts; the advice follows the answer in the error's text.
    Final(&'static str),
}

pub(super) fn verdict(code: Code) -> Verdict {
    use Verdict::{Final, OwnershipLost, Passing};
    match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::MessageTimedOut
        | Code::NodeUpdate
        | Code::WaitingForCoordinator
        | Code::WaitCache
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::Retry
        | Code::Outdated
        | Code::UnknownBroker
        | Code::DestroyBroker
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::StaleControllerEpoch
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::RebalanceInProgress
        | Code::NotController
        | Code::KafkaStorageError
        | Code::FetchSessionIdNotFound
        | Code::InvalidFetchSessionEpoch
        | Code::ListenerNotFound
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::StaleBrokerEpoch
        | Code::OffsetNotAvailable
        | Code::PreferredLeaderNotAvailable
        | Code::EligibleLeadersNotAvailable
        | Code::UnstableOffsetCommit
        | Code::ThrottlingQuotaExceeded
        // Encryption that fails looks the same as a connection that was cut in the middle of it; the reason is in the warning.
        | Code::SSL => Passing,
        Code::UnknownMemberId | Code::IllegalGeneration | Code::AssignmentLost | Code::PollExceeded => OwnershipLost,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId => {
            Final("; was the topic deleted while it was in use?")
        }
        Code::TopicAuthorizationFailed => Final("; grant this user Describe, DescribeConfigs, Read and Write on the topic"),
        Code::GroupAuthorizationFailed => Final("; grant this user Describe and Read on the group"),
        Code::ClusterAuthorizationFailed => Final("; grant this user IdempotentWrite, and Create to make topics, on the cluster"),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism | Code::IllegalSASLState => {
            Final("; check user, password (or token) and mechanism against the brokers'")
        }
        Code::UnsupportedVersion | Code::UnsupportedFeature => Final("; fieldline needs Apache Kafka 2.8 or later, or what speaks its protocol"),
        Code::FencedInstanceId => Final("; another process runs with the same instance id: give each process one of its own"),
        Code::UnreleasedInstanceId => Final("; another process holds this instance id: give each process one of its own"),
        Code::InconsistentGroupProtocol => {
            Final("; members with another assignment strategy are in this group: stop those that are not fieldline's")
        }
        Code::GroupMaxSizeReached => Final("; raise group.max.size on the brokers, or run fewer workers"),
        Code::InvalidSessionTimeout => Final("; keep the session timeout within the brokers' group.min and group.max.session.timeout.ms"),
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            Final("; raise max.message.bytes of the topic, or message.max.bytes of the brokers")
        }
        Code::OffsetMetadataTooLarge => Final("; raise offset.metadata.max.bytes on the brokers to 4096, its default"),
        Code::InvalidReplicationFactor => Final("; the cluster has fewer brokers than copies are asked for"),
        Code::PolicyViolation => Final("; a policy of the cluster forbids it: make the topics by hand"),
        Code::UnsupportedCompressionType | Code::NotImplemented | Code::BadCompression => {
            Final("; a batch may be compressed with zstd: build with the feature `zstd`, or set the topic's compression.type to producer")
        }
        Code::OutOfOrderSequenceNumber | Code::UnknownProducerId | Code::InvalidProducerEpoch | Code::ProducerFenced | Code::Fatal => {
            Final("; order and uniqueness can no longer be kept in this session: start again, what was not acknowledged is sent anew")
        }
        _ => Final(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_verdict() {
        for code in [Code::BrokerTransportFailure, Code::NotCoordinator, Code::NotEnoughReplicas, Code::RebalanceInProgress] {
            assert_eq!(verdict(code), Verdict::Passing, "{code}");
        }
        for code in [Code::UnknownMemberId, Code::IllegalGeneration] {
            assert_eq!(verdict(code), Verdict::OwnershipLost, "{code}");
        }
        for (code, advice) in [
            (Code::TopicAuthorizationFailed, "grant"),
            (Code::SaslAuthenticationFailed, "password"),
            (Code::FencedInstanceId, "instance id"),
            (Code::UnsupportedVersion, "2.8"),
            (Code::MessageSizeTooLarge, "max.message.bytes"),
            (Code::AutoOffsetReset, ""),
        ] {
            assert!(matches!(verdict(code), Verdict::Final(said) if said.contains(advice)), "{code}");
        }
    }
}
