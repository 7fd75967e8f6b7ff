//! The contract as a server describes it by reflection, so that a server of any version can be called.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Question;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;

use super::methods;

/// How many files a contract may have. More come from a server that invents them.
const MAX_FILES: usize = 256;
/// How many bytes the descriptors may have together; this service's have less than one MiB.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What a server describes: the service with this name if it has one, and otherwise all of its services.
pub async fn describe(channel: &Channel, metadata: &MetadataMap, service: &str) -> Result<DescriptorPool, Status> {
    let mut server = Server { client: ServerReflectionClient::new(channel.clone()), metadata, bytes: 0 };
    let services = server.services().await?;
    let meant: Vec<String> = services.iter().filter(|name| methods::is_meant(name, service)).cloned().collect();
    let wanted = if meant.is_empty() { services } else { meant };
    let mut files = BTreeMap::new();
    let mut questions: Vec<Question> = wanted.into_iter().map(Question::FileContainingSymbol).collect();
    // Each round asks for what the files of the one before import.
    while !questions.is_empty() {
        for file in server.files(questions).await? {
            files.insert(file.name().to_owned(), file);
        }
        if files.len() > MAX_FILES {
            return Err(Status::out_of_range(format!("the server describes more than {MAX_FILES} files")));
        }
        let imported: BTreeSet<&String> = files.values().flat_map(|file| &file.dependency).collect();
        let missing = imported.into_iter().filter(|name| !files.contains_key(*name));
        questions = missing.cloned().map(Question::FileByFilename).collect();
    }
    let mut pool = DescriptorPool::new();
    let added = pool.add_file_descriptor_protos(files.into_values());
    added.map_err(|error| Status::internal(format!("the server's descriptors do not fit together: {error}")))?;
    Ok(pool)
}

struct Server<'m> {
    client: ServerReflectionClient<Channel>,
    metadata: &'m MetadataMap,
    /// How many bytes of descriptors it has answered.
    bytes: usize,
}

impl Server<'_> {
    async fn services(&mut self) -> Result<Vec<String>, Status> {
        let mut names = Vec::new();
        for answer in self.ask(vec![Question::ListServices(String::new())]).await? {
            if let Answer::ListServicesResponse(list) = answer {
                names.extend(list.service.into_iter().map(|service| service.name));
            }
        }
        if names.len() > MAX_FILES {
            return Err(Status::out_of_range(format!("the server has more than {MAX_FILES} services")));
        }
        Ok(names)
    }

    async fn files(&mut self, questions: Vec<Question>) -> Result<Vec<FileDescriptorProto>, Status> {
        let mut files = Vec::new();
        for answer in self.ask(questions).await? {
            let Answer::FileDescriptorResponse(response) = answer else { continue };
            for bytes in response.file_descriptor_proto {
                let file = FileDescriptorProto::decode(&*bytes);
                files.push(file.map_err(|error| Status::internal(format!("a descriptor is malformed: {error}")))?);
            }
        }
        Ok(files)
    }

    /// As many answers as there are questions.
    async fn ask(&mut self, questions: Vec<Question>) -> Result<Vec<Answer>, Status> {
        let count = questions.len();
        let questions = questions
            .into_iter()
            .map(|question| ServerReflectionRequest { host: String::new(), message_request: Some(question) });
        let mut request = Request::new(futures_util::stream::iter(questions));
        *request.metadata_mut() = self.metadata.clone();
        let mut stream = self.client.server_reflection_info(request).await?.into_inner();
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            let Some(message) = stream.message().await? else {
                return Err(Status::internal("reflection ended before it had answered"));
            };
            self.bytes += message.encoded_len();
            if self.bytes > MAX_BYTES {
                return Err(Status::out_of_range(format!("the server describes more than {} MiB", MAX_BYTES >> 20)));
            }
            match message.message_response {
                Some(Answer::ErrorResponse(error)) => {
                    return Err(Status::new(Code::from(error.error_code), error.error_message));
                }
                Some(answer) => answers.push(answer),
                None => return Err(Status::internal("reflection answered nothing")),
            }
        }
        Ok(answers)
    }
}
