# messaging.tf.json has the topics, who reads them, and how they are delivered; the local cloud has the same.

locals {
  topics = setunion(keys(local.subscribers), var.command_topics)
  # Of topic: the function that its messages are pushed to.
  pushed = merge(
    { for topic, function in local.subscribers : topic => function if function != null },
    { for topic in var.command_topics : topic => local.subscribers["rollout-commands"] },
  )
  pubsub_agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Artifact Registry publishes on topic `gcr` by itself, from every repository of the project.
resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83:Google manages the keys; messages name images and services, and hold no secrets.
  for_each                   = local.topics
  project                    = var.project
  name                       = each.key
  message_retention_duration = local.retention
  depends_on                 = [google_project_service.this]
}

resource "google_service_account" "push" {
  project      = var.project
  account_id   = "${var.name}-push"
  display_name = "Slipway: Pub/Sub calls the functions as this"
  depends_on   = [google_project_service.this]
}

resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent
}

resource "google_pubsub_subscription" "this" {
  for_each                   = local.pushed
  project                    = var.project
  name                       = "${each.key}-${each.value}"
  topic                      = google_pubsub_topic.this[each.key].id
  ack_deadline_seconds       = local.ack_deadline_seconds
  message_retention_duration = local.retention

  # Without it a subscription that was idle for 31 days is deleted.
  expiration_policy {
    ttl = ""
  }

  # With a longer backoff twenty deliveries last for an hour: so long a chat may be away and nobody misses a message.
  retry_policy {
    minimum_backoff = local.minimum_backoff
    maximum_backoff = lookup(local.patient, each.key, local.maximum_backoff)
  }

  # A dead letter that cannot be put on record stays where it is: there is nothing behind.
  dynamic "dead_letter_policy" {
    for_each = each.key == local.dead_letter_topic ? [] : [local.dead_letter_topic]
    content {
      dead_letter_topic     = google_pubsub_topic.this[dead_letter_policy.value].id
      max_delivery_attempts = local.max_delivery_attempts
    }
  }

  push_config {
    # The functions framework learns the topic from the path.
    push_endpoint = "${var.function_urls[each.value]}/${google_pubsub_topic.this[each.key].id}"
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.function_urls[each.value]
    }
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project
  topic   = google_pubsub_topic.this[local.dead_letter_topic].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

# Forwarding a dead letter acknowledges it on the subscription that it comes from.
resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = { for topic, function in local.pushed : topic => function if topic != local.dead_letter_topic }
  project      = var.project
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
