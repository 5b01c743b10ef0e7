{{/* The names of the release's objects start with this. */}}
{{- define "shelfstream.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "shelfstream.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shelfstream.labels" -}}
{{ include "shelfstream.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "shelfstream.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "shelfstream.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "shelfstream.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What every process knows of the deployment and of Kafka. */}}
{{- define "shelfstream.env" -}}
- {name: SHELFSTREAM_BOOTSTRAP_SERVERS, value: {{ .Values.kafka.bootstrapServers | quote }}}
- {name: SHELFSTREAM_APP_ID, value: {{ .Values.appId | quote }}}
- {name: SHELFSTREAM_PARTITIONS, value: {{ .Values.partitions | quote }}}
- {name: SHELFSTREAM_REPLICATION_FACTOR, value: {{ .Values.replicationFactor | quote }}}
{{- if ne .Values.kafka.securityProtocol "PLAINTEXT" }}
- {name: SHELFSTREAM_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol | quote }}}
{{- end }}
{{- if hasPrefix "SASL" .Values.kafka.securityProtocol }}
- {name: SHELFSTREAM_SASL_MECHANISM, value: {{ required "kafka.saslMechanism is required with SASL" .Values.kafka.saslMechanism | quote }}}
{{- if ne .Values.kafka.saslMechanism "OAUTHBEARER" }}
- {name: SHELFSTREAM_SASL_USERNAME, value: {{ required "kafka.saslUsername is required with this mechanism" .Values.kafka.saslUsername | quote }}}
- {name: SHELFSTREAM_SASL_PASSWORD_FILE, value: /run/secrets/kafka/sasl-password}
{{- end }}
{{- end }}
{{- if hasSuffix "SSL" .Values.kafka.securityProtocol }}
{{- range $variable, $file := dict "SSL_CAFILE" "ca.crt" "SSL_CERTFILE" "tls.crt" "SSL_KEYFILE" "tls.key" "SSL_KEY_PASSWORD_FILE" "key-password" }}
{{- if has $file ($.Values.kafka.secretKeys | default list) }}
- {name: SHELFSTREAM_{{ $variable }}, value: /run/secrets/kafka/{{ $file }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "shelfstream.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "shelfstream.podSecurityContext" -}}
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}
